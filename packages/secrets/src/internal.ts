/**
 * What only autokestra's own packages share. It may change in any release.
 *
 * @module
 */

export { readText } from "@autokestra/private-files";
export {
  createProcessCipher,
  type ProcessCipher,
  takeKeyVariable,
  verifyWebhook,
  type WebhookAnswer,
  type WebhookRequest,
} from "@autokestra/secrets-crypto/internal";
export { recordOperation, recordWork } from "./access/recorded-operation.ts";
export { runsFile } from "./folders.ts";
export { readSourceText, readTextFile } from "./import/text-file.ts";
export { secretPlaces } from "./manager.ts";
export { type OpenedStore, openStore } from "./open-store.ts";

/**
 * What only autokestra's own packages share: no promise is made about it.
 *
 * @module
 */
export { type AgeStanza, unwrapWithPassphrase, wrapWithPassphrase } from "./age-passphrase.ts";
export { hashApiToken, isApiToken, isSameHash, newApiToken } from "./api-token.ts";
export type { Fields } from "./encode-fields.ts";
export { parseHeader } from "./header.ts";
export { stretchingOf } from "./key-derivation.ts";
export { MAX_ENCRYPTIONS } from "./key-manager.ts";
export { createKeyFile } from "./key-source/key-file.ts";
export { defaultKeyFolder, readMasterKey } from "./key-source/key-folder.ts";
export {
  exportKey,
  type ImportedKey,
  importKey,
  type KeyList,
  type ListedKey,
  listKeys,
  type MissingKey,
} from "./key-source/key-list.ts";
export { openKnownStores } from "./key-source/known-stores.ts";
export { createMasterKey, fingerprintOfKey } from "./key-source/master-key.ts";
export { keyFilePath, keyFolderOf, providerOf, takeKeyVariable } from "./key-source/master-key-provider.ts";
export {
  findPreparedKeys,
  keepKey,
  prepareKey,
  readNewKeyFile,
} from "./key-source/prepared-key.ts";
export { createProcessCipher, type ProcessCipher } from "./process-cipher.ts";
export { hashFields } from "./record-fields.ts";
export { verifyWebhook, type WebhookAnswer, type WebhookRequest } from "./verify-webhook.ts";

/**
 * AES-256-GCM sealing bound to its record, data keys wrapped under a master key, and the places a master key comes from.
 *
 * @module
 */
export { createKeyFile, readKeyFile } from "./key-file.ts";
export type { Keyring } from "./keyring.ts";
export {
  createMasterKeyProvider,
  KEY_FILE_VARIABLE,
  KEY_VARIABLE,
  keyFilePath,
  type MasterKeyOptions,
} from "./master-key-provider.ts";
export { createPendingKey, findPendingKeys, sweepPendingKeys } from "./pending-key.ts";
export { createSecretEncryption } from "./secret-encryption.ts";
export type { HeaderKey, StoreHeader } from "./store-header.ts";
export { createStoreKeys, MAX_SEALS, type StoreKeys } from "./store-keys.ts";

/**
 * AES-256-GCM sealing bound to its record, data keys wrapped under a master key, and the places a master key comes from.
 *
 * @module
 */
export { type Keyring, openKeyring } from "./keyring.ts";
export {
  createMasterKeyProvider,
  KEY_FILE_VARIABLE,
  KEY_VARIABLE,
  keyFilePath,
  type MasterKeyOptions,
} from "./master-key-provider.ts";
export { createSecretEncryption } from "./secret-encryption.ts";

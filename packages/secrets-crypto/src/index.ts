/**
 * AES-256-GCM encryption bound to its record, data keys wrapped under a master key, and the sources of master keys.
 *
 * @module
 */

/** The types of `@autokestra/secrets-core` that callers of this package need. */
export { createMemoryStore, type Plaintext, parseSecretName, type SecretMetadata } from "@autokestra/secrets-core";
export type { HeaderExtension, HeaderKey, HeaderServiceKey, StoreHeader } from "./header.ts";
export { parseHeader } from "./header.ts";
export type { KeyManagerOptions } from "./header-reader.ts";
export { stretchingOf } from "./key-derivation.ts";
export { createKeyManager, type HeaderStore, type KeyManager, MAX_ENCRYPTIONS } from "./key-manager.ts";
export { defaultKeyFolder, readMasterKey } from "./key-source/key-folder.ts";
export {
  exportKey,
  type ImportedKey,
  importKey,
  type KeyList,
  type KeyUse,
  type ListedKey,
  listKeys,
  type MissingKey,
} from "./key-source/key-list.ts";
export type { RememberedStore, StoreMemory } from "./key-source/known-stores.ts";
export { type KnownBackup, type KnownStore, type KnownStores, openKnownStores } from "./key-source/known-stores.ts";
export { fingerprintOfKey } from "./key-source/master-key.ts";
export {
  createMasterKeyProvider,
  KEY_FILE_VARIABLE,
  KEY_VARIABLE,
  keyFilePath,
  keyFolderOf,
  type MasterKeyOptions,
  takeKeyVariable,
} from "./key-source/master-key-provider.ts";
export {
  findPreparedKeys,
  keepKey,
  type NewKeyFileOptions,
  type PreparedKey,
  prepareKey,
  readNewKeyFile,
} from "./key-source/prepared-key.ts";
export type { Keyring } from "./keyring.ts";
export { createSecretEncryption } from "./secret-encryption.ts";

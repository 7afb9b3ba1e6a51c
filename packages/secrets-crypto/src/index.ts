/**
 * AES-256-GCM encryption bound to its record, data keys wrapped under a master key, and the sources of master keys.
 *
 * @module
 */

/** The types of `@autokestra/secrets-core` that callers of this package need. */
export { createMemoryStore, type Plaintext, parseSecretName, type SecretMetadata } from "@autokestra/secrets-core";
export type { HeaderExtension, HeaderKey, HeaderServiceKey, StoreHeader } from "./header.ts";

export type { KeyManagerOptions } from "./header-reader.ts";
export { createKeptValueKeys, type KeptValueCipher, type KeptValueKeys, type KeptValuePlace } from "./kept-values.ts";
export { createKeyManager, type HeaderStore, type KeyManager } from "./key-manager.ts";
export type { RememberedStore, StoreMemory } from "./key-source/known-stores.ts";

export {
  createMasterKeyProvider,
  KEY_FILE_VARIABLE,
  KEY_VARIABLE,
  type MasterKeyOptions,
} from "./key-source/master-key-provider.ts";

export type { Keyring } from "./keyring.ts";
export type { MacPurpose } from "./record-fields.ts";
export { createSecretEncryption } from "./secret-encryption.ts";

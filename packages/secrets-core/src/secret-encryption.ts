import type { EncryptedSecret, Envelope, SecretMetadata } from "./secret.ts";

declare const plaintextBrand: unique symbol;

/** The text that is encrypted. It must not leave the process unmasked. */
export type Plaintext = string & { readonly [plaintextBrand]: "Plaintext" };

/** The metadata that a ciphertext is bound to (AAD): if any of them changes, it can no longer be decrypted. */
export type RecordIdentity = Pick<SecretMetadata, "id" | "name" | "type" | "version" | "expiresAt" | "policy">;

/** One version of a secret, before it is encrypted. */
export interface UnencryptedSecret {
  readonly metadata: SecretMetadata;
  readonly plaintext: Plaintext;
}

/** Encrypted secrets, and the header of their keys. A store accepts them only if that is still its own header. */
export interface EncryptedBatch {
  readonly secrets: readonly EncryptedSecret[];
  /** Null for an encryption without a header. */
  readonly header: string | null;
}

/**
 * Encrypts and decrypts secrets, bound to their records, and authenticates the metadata, which are not encrypted so
 * that they can be read without a key. `createSecretEncryption` of `@autokestra/secrets-crypto` creates one.
 *
 * Every method may throw an AutokestraError with `KEY_*` if there is no usable key, or a code of the store.
 */
export interface SecretEncryption {
  /**
   * Encrypts versions, all under one header, and computes the mac that each has as the current version.
   *
   * @throws AutokestraError `VALUE_INVALID` if a text is not well-formed Unicode
   */
  encrypt(secrets: readonly UnencryptedSecret[]): Promise<EncryptedBatch>;

  /** Returns current versions with new macs. Use it if metadata have changed and the value has not. */
  authenticate(secrets: readonly EncryptedSecret[]): Promise<EncryptedBatch>;

  /**
   * Decrypts one version.
   *
   * @throws AutokestraError `INTEGRITY_FAILED` if the record or the envelope was changed, or if its data key was
   * destroyed
   */
  decrypt(record: RecordIdentity, envelope: Envelope): Promise<Plaintext>;

  /**
   * Verifies the mac of a current version, deleted or not. Call it before trusting the metadata, and before writing a
   * record with a new mac for them.
   *
   * @throws AutokestraError `INTEGRITY_FAILED`
   */
  verify(current: EncryptedSecret): Promise<void>;

  /** Reads the keys again. Call it after `HEADER_CHANGED`. */
  refresh(): Promise<void>;

  /** Overwrites the keys, as far as JavaScript can. */
  close(): void;
}

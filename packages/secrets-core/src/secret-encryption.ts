import type { EncryptedSecret, Envelope, SecretMetadata } from "./secret.ts";

declare const plaintextBrand: unique symbol;

/** Text that must not leave the process unmasked. */
export type Plaintext = string & { readonly [plaintextBrand]: "Plaintext" };

/** What a ciphertext is bound to (AAD): a change of any of these makes it unreadable. */
export type RecordIdentity = Pick<SecretMetadata, "id" | "name" | "type" | "version" | "expiresAt" | "policy">;

/** One version of a secret before it is encrypted. */
export interface UnencryptedSecret {
  readonly metadata: SecretMetadata;
  readonly plaintext: Plaintext;
}

/** Secrets, and the header of the keys that all of them were encrypted under: a store takes them only while that header is its own. */
export interface EncryptedBatch {
  readonly secrets: readonly EncryptedSecret[];
  /** Null for an encryption that keeps no header. */
  readonly header: string | null;
}

/**
 * Encrypts and decrypts, bound to the record, and authenticates what cannot be encrypted because it must be readable without a key.
 * Every method may throw AutokestraError with `KEY_*` where there is no usable key, and the codes of the store's header.
 */
export interface SecretEncryption {
  /**
   * Encrypts many versions, all of them under one header, each with the mac that it has where it is the current version.
   *
   * @throws AutokestraError `VALUE_INVALID` where a text is not well-formed
   */
  encrypt(secrets: readonly UnencryptedSecret[]): Promise<EncryptedBatch>;

  /** The same current versions with their macs made anew: for metadata that changed while the value did not. */
  authenticate(secrets: readonly EncryptedSecret[]): Promise<EncryptedBatch>;

  /**
   * @throws AutokestraError `INTEGRITY_FAILED` where anything of the record or the envelope was changed, or was encrypted under a
   * data key that was destroyed
   */
  decrypt(record: RecordIdentity, envelope: Envelope): Promise<Plaintext>;

  /**
   * Checks the mac of a current version, living or deleted. To be called before its metadata authorise anything, and before
   * anything is written that makes it good.
   *
   * @throws AutokestraError `INTEGRITY_FAILED`
   */
  verify(current: EncryptedSecret): Promise<void>;

  /** Reads the keys again: after `HEADER_CHANGED`. */
  refresh(): Promise<void>;

  /** Wipes the keys, as far as JavaScript can. */
  close(): void;
}

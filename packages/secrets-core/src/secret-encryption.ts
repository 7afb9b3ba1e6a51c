import type { Envelope, SecretMetadata } from "./secret.ts";

declare const plaintextBrand: unique symbol;

/** Text that must not leave the process unmasked. */
export type Plaintext = string & { readonly [plaintextBrand]: "Plaintext" };

/** What a ciphertext is bound to (AAD): a change of any of these makes it unreadable. */
export type RecordIdentity = Pick<SecretMetadata, "id" | "name" | "type" | "version" | "expiresAt">;

/** An envelope, and the header of the keys it was sealed under: a store takes it only while that header is its own. */
export interface SealResult {
  readonly envelope: Envelope;
  /** Null for an encryption that keeps no header. */
  readonly header: string | null;
}

/** Seals and opens, bound to the record. */
export interface SecretEncryption {
  /** @throws AutokestraError `KEY_*` where there is no usable key, `VALUE_INVALID` where the text is not well-formed */
  seal(record: RecordIdentity, plaintext: Plaintext): Promise<SealResult>;

  /**
   * @throws AutokestraError `INTEGRITY_FAILED` where the key is another one, or anything of the record or the envelope was
   * changed; `KEY_*` where there is no usable key
   */
  open(record: RecordIdentity, envelope: Envelope): Promise<Plaintext>;

  /** Reads the keys again: after `HEADER_CHANGED`. */
  refresh(): Promise<void>;

  /** Wipes the keys, as far as JavaScript can. */
  close(): void;
}

import type { SecretName } from "./secret-name.ts";
import type { SecretFields, SecretType } from "./secret-type.ts";
import type { Timestamp } from "./time.ts";

/** A secret on the way in: plaintext and what the person says about it. */
export interface SecretInput {
  readonly name: string;
  readonly type: SecretType;
  /** The values, checked against the type. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Undefined keeps what is stored, null removes it. */
  readonly description?: string | null | undefined;
  /** Undefined keeps what is stored, an empty list removes all. */
  readonly tags?: readonly string[] | undefined;
  /** A moment, as `parseMoment` reads it. A new value without it has no expiry, unless `keepExpiry` is set. */
  readonly expiresAt?: string | number | null | undefined;
  /** Accept an empty password of a basicAuth secret. Default: false. */
  readonly allowEmpty?: boolean | undefined;
  /** Keep the expiry that is stored where `expiresAt` is undefined. Default: false. */
  readonly keepExpiry?: boolean | undefined;
  /** Fields to make public: encrypted, but not masked and shown by `describe`. */
  readonly publicFields?: readonly string[] | undefined;
  /** Fields to mask as whole words although their type does not ask for it, such as a user name. */
  readonly maskFields?: readonly string[] | undefined;
}

/** What may be shown of one version of a secret: never a value. */
export interface SecretMetadata {
  /** UUID, the same in all versions. */
  readonly id: string;
  readonly name: SecretName;
  readonly type: SecretType;
  readonly description: string | null;
  readonly tags: readonly string[];
  /** Counts the values: 1, 2, 3, … */
  readonly version: number;
  /** Counts every change of the whole secret, of its value or its metadata: 1, 2, 3, … */
  readonly revision: number;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
  readonly expiresAt: Timestamp | null;
  /** When the whole secret was deleted; null while it is not. */
  readonly deletedAt: Timestamp | null;
  /** The number that the record had where it was imported from; null for all others. */
  readonly importedId: number | null;
  /** Who may use the whole secret, as canonical JSON; null where everybody who may read it may use it. */
  readonly policy: string | null;
}

/** Encrypted bytes, and all it takes to decrypt them except the key. */
export interface Envelope {
  /** The format of this envelope: 2, or 1 where an earlier version of autokestra has written it. */
  readonly format: number;
  /** Which data key encrypted it: 8 lower-case hexadecimal digits. */
  readonly keyId: string;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  /** 16 bytes. */
  readonly tag: Uint8Array;
}

/** What a store keeps. */
export interface EncryptedSecret {
  readonly metadata: SecretMetadata;
  readonly envelope: Envelope;
  /**
   * Authenticates the metadata of the whole secret and which version is current: `keyId:base64`. Null in older versions, and in
   * a store that no later version than the first has written to.
   */
  readonly mac: string | null;
}

/** An opened secret: metadata and plaintext. */
export interface Secret {
  readonly metadata: SecretMetadata;
  readonly fields: SecretFields;
  /** Fields that were made public, or masked as words, against the rule of the type. */
  readonly flags: FieldFlags;
}

/** Which fields of a secret differ from what their type says about secrecy. */
export interface FieldFlags {
  /** Encrypted, but neither masked nor hidden. */
  readonly public: readonly string[];
  /** Masked as whole words. */
  readonly masked: readonly string[];
}

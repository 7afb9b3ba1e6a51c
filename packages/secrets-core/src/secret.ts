import type { SecretName } from "./secret-name.ts";
import type { AllowChange } from "./secret-policy.ts";
import type { SecretFields, SecretType } from "./secret-type.ts";
import type { Timestamp } from "./time.ts";

/** A secret to store: its values in plaintext, and what is known about it. */
export interface SecretInput {
  readonly name: string;
  readonly type: SecretType;
  /** The values by field name. The type decides the fields: see `parseFields`. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Null removes the stored one. Default: keep it. */
  readonly description?: string | null | undefined;
  /** An empty list removes the stored ones. Default: keep them. */
  readonly tags?: readonly string[] | undefined;
  /** When the new value expires, as people write it: `2027-01-31`, `90d`, seconds since 1970. Default: never. */
  readonly expiresAt?: string | number | null | undefined;
  /** Accept an empty password of a basicAuth secret. Default: false. */
  readonly allowEmpty?: boolean | undefined;
  /** Keep the stored expiry if `expiresAt` is undefined. Default: false. */
  readonly keepExpiry?: boolean | undefined;
  /** Fields to make public: encrypted, but shown by `describe` and not masked. Default: as stored. */
  readonly publicFields?: readonly string[] | undefined;
  /** Fields to mask as whole words although their type does not require it, such as a user name. Default: as stored. */
  readonly maskFields?: readonly string[] | undefined;
  /** Who may use it; null: everybody. Default: as stored. */
  readonly allow?: AllowChange | null | undefined;
}

/** What is known about one version of a secret and may be shown. Contains no value. */
export interface SecretMetadata {
  /** A UUID, the same in all versions. */
  readonly id: string;
  readonly name: SecretName;
  readonly type: SecretType;
  readonly description: string | null;
  readonly tags: readonly string[];
  /** The number of the value: 1, 2, 3, … */
  readonly version: number;
  /** Counts all changes of the secret, of its value and of its metadata: 1, 2, 3, … */
  readonly revision: number;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
  readonly expiresAt: Timestamp | null;
  /** When the secret was deleted; null if it is not. */
  readonly deletedAt: Timestamp | null;
  /** The number of the record in the source that it was imported from; null if it was not imported. */
  readonly importedId: number | null;
  /** Who may use the secret, as canonical JSON of a `SecretAllow`; null: everyone who can read it. */
  readonly policy: string | null;
}

/** Encrypted bytes with everything that is needed to decrypt them, except the key. */
export interface Envelope {
  /** 2, or 1 if version 1 of autokestra has written it. */
  readonly format: number;
  /** The id of its data key: 8 lower-case hexadecimal digits. */
  readonly keyId: string;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  /** 16 bytes. */
  readonly tag: Uint8Array;
}

/** One version of a secret as a store keeps it. */
export interface EncryptedSecret {
  readonly metadata: SecretMetadata;
  readonly envelope: Envelope;
  /**
   * Authenticates the metadata of the whole secret, and which version is the current one: `keyId:base64`. Null in older
   * versions, and in layout 1.
   */
  readonly mac: string | null;
}

/** A decrypted secret. */
export interface Secret {
  readonly metadata: SecretMetadata;
  /** The values by field name, in plaintext. */
  readonly fields: SecretFields;
  /** The fields that are treated differently than the type says. */
  readonly flags: FieldFlags;
}

/** The fields of a secret that are treated differently than its type says. */
export interface FieldFlags {
  /** Encrypted, but neither masked nor hidden. */
  readonly public: readonly string[];
  /** Masked as whole words. */
  readonly masked: readonly string[];
}

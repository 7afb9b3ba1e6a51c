import { z } from "zod";
import { type SecretName, secretNameSchema } from "./secret-name.ts";
import { type SecretFields, type SecretType, secretTypeSchema } from "./secret-type.ts";
import { parseTimestamp, type Timestamp } from "./time.ts";

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
  /** ISO 8601 or milliseconds since 1970. A new value without it has no expiry. */
  readonly expiresAt?: string | number | null | undefined;
}

/** What may be shown of one version of a secret: never a value. */
export interface SecretMetadata {
  /** UUID, the same in all versions. */
  readonly id: string;
  readonly name: SecretName;
  readonly type: SecretType;
  readonly description: string | null;
  readonly tags: readonly string[];
  /** 1, 2, 3, … */
  readonly version: number;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
  readonly expiresAt: Timestamp | null;
  /** When the whole secret was deleted; null while it is in use. */
  readonly deletedAt: Timestamp | null;
}

/** Sealed bytes, and all it takes to open them but the key. */
export interface Envelope {
  /** The format of this envelope, 1 today. */
  readonly format: number;
  /** Which data key sealed it: 8 lower-case hexadecimal digits. */
  readonly keyId: string;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  /** 16 bytes. */
  readonly tag: Uint8Array;
}

/** What a store keeps. */
export interface SealedSecret {
  readonly metadata: SecretMetadata;
  readonly envelope: Envelope;
}

/** An opened secret: metadata and plaintext. */
export interface Secret {
  readonly metadata: SecretMetadata;
  readonly fields: SecretFields;
}

const timestampSchema: z.ZodType<Timestamp> = z.string().refine((text) => parseTimestamp(text) === text, "not a time");

/** One line of visible text. */
const line = z.string().regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, "must be one line without control characters");

export const descriptionSchema: z.ZodType<string> = line.max(1000, "must have at most 1000 characters");
export const tagSchema: z.ZodType<string> = line
  .min(1, "must not be empty")
  .max(100, "must have at most 100 characters");

/** The schema of metadata as a store reads them back. */
export const secretMetadataSchema: z.ZodType<SecretMetadata> = z.object({
  id: z.uuid(),
  name: secretNameSchema,
  type: secretTypeSchema,
  description: descriptionSchema.nullable(),
  tags: z.array(tagSchema),
  version: z.int().positive(),
  createdAt: timestampSchema,
  updatedAt: timestampSchema,
  expiresAt: timestampSchema.nullable(),
  deletedAt: timestampSchema.nullable(),
});

/** The schema of an envelope as a store reads it back. Lengths are the cipher's to judge. */
export const envelopeSchema: z.ZodType<Envelope> = z.object({
  format: z.int().nonnegative(),
  keyId: z.string(),
  nonce: z.instanceof(Uint8Array),
  ciphertext: z.instanceof(Uint8Array),
  tag: z.instanceof(Uint8Array),
});

/** The schema of a sealed secret as a store reads it back. */
export const sealedSecretSchema: z.ZodType<SealedSecret> = z.object({
  metadata: secretMetadataSchema,
  envelope: envelopeSchema,
});

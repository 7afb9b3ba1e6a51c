import {
  type SealedSecret,
  type SecretMetadata,
  sealedSecretSchema,
  secretCorrupt,
  secretMetadataSchema,
} from "@autokestra/secrets-core";

/** The metadata of one version as SQLite keeps them. What the columns hold is checked on the way out, not trusted. */
export interface MetadataRow {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly description: string | null;
  /** A JSON array of strings. */
  readonly tags: string;
  readonly version: number;
  /** 1 or 0. */
  readonly isCurrent: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt: string | null;
  /** Of the current version only. */
  readonly deletedAt: string | null;
}

/** One whole version as SQLite keeps it. */
export interface SealedRow extends MetadataRow {
  readonly format: number;
  readonly keyId: string;
  readonly nonce: Uint8Array;
  readonly tag: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** The row of the current version of a secret, or of an older one. */
export function toSealedRow({ metadata, envelope }: SealedSecret, isCurrent = true): SealedRow {
  const deletedAt = isCurrent ? metadata.deletedAt : null;
  return { ...metadata, tags: JSON.stringify(metadata.tags), isCurrent: isCurrent ? 1 : 0, deletedAt, ...envelope };
}

/** throws AutokestraError `STORE_CORRUPT`, naming the secret */
export function toSealedSecret(row: SealedRow, path: string): SealedSecret {
  const envelope = { ...row, nonce: plain(row.nonce), tag: plain(row.tag), ciphertext: plain(row.ciphertext) };
  const parsed = sealedSecretSchema.safeParse({ metadata: withTags(row), envelope });
  if (!parsed.success) throw secretCorrupt(path, row.name);
  return parsed.data;
}

/** throws AutokestraError `STORE_CORRUPT`, naming the secret */
export function toMetadata(row: MetadataRow, path: string): SecretMetadata {
  const parsed = secretMetadataSchema.safeParse(withTags(row));
  if (!parsed.success) throw secretCorrupt(path, row.name);
  return parsed.data;
}

/** The same bytes without the methods of a Buffer, which is what better-sqlite3 returns. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function withTags(row: MetadataRow): object {
  return { ...row, tags: parseJson(row.tags) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { isMetadata, type SealedSecret, type SecretMetadata, secretCorrupt } from "@autokestra/secrets-core";

type MetadataValues = readonly [
  name: string,
  /** 1 or 0. */
  isCurrent: number,
  /** Of the current version only. */
  deletedAt: string | null,
  version: number,
  id: string,
  type: string,
  description: string | null,
  /** A JSON array of strings. */
  tags: string,
  createdAt: string,
  updatedAt: string,
  expiresAt: string | null,
];

/**
 * The metadata of one version as SQLite keeps them, whatever follows. What the columns hold is checked on the way out, not
 * trusted. Rows are arrays: both ways, SQLite takes longer over names than over values.
 */
export type MetadataRow = readonly [...MetadataValues, ...unknown[]];

/** One whole version as SQLite keeps it. */
export type SealedRow = readonly [
  ...MetadataValues,
  format: number,
  keyId: string,
  nonce: Uint8Array,
  tag: Uint8Array,
  ciphertext: Uint8Array,
];

/** The columns of a {@link MetadataRow}. */
export const METADATA_COLUMNS: readonly string[] = [
  "name",
  "is_current",
  "deleted_at",
  "version",
  "id",
  "type",
  "description",
  "tags",
  "created_at",
  "updated_at",
  "expires_at",
];

/** The columns of a {@link SealedRow}. */
export const SEALED_COLUMNS: readonly string[] = [
  ...METADATA_COLUMNS,
  "format",
  "key_id",
  "nonce",
  "tag",
  "ciphertext",
];

/** The row of the current version of a secret, or of an older one. */
export function toSealedRow({ metadata, envelope }: SealedSecret, isCurrent = true): SealedRow {
  const { name, version, id, type, description, tags, createdAt, updatedAt, expiresAt } = metadata;
  const { format, keyId, nonce, tag, ciphertext } = envelope;
  const [mark, deletedAt] = isCurrent ? [1, metadata.deletedAt] : [0, null];
  const own = [name, mark, deletedAt, version, id, type, description, JSON.stringify(tags)] as const;
  return [...own, createdAt, updatedAt, expiresAt, format, keyId, nonce, tag, ciphertext];
}

/** throws AutokestraError `STORE_CORRUPT`, naming the secret */
export function toSealedSecret(row: SealedRow, path: string): SealedSecret {
  const [name, , , , , , , , , , , format, keyId, nonce, tag, ciphertext] = row;
  if (!Number.isSafeInteger(format) || format < 0) throw secretCorrupt(path, name);
  const envelope = { format, keyId, nonce: plain(nonce), ciphertext: plain(ciphertext), tag: plain(tag) };
  return { metadata: toMetadata(row, path), envelope };
}

/** throws AutokestraError `STORE_CORRUPT`, naming the secret */
export function toMetadata(row: MetadataRow, path: string): SecretMetadata {
  const [name, , deletedAt, version, id, type, description, tagList, createdAt, updatedAt, expiresAt] = row;
  const tags = parseTags(tagList);
  const metadata = { id, name, type, description, tags, version, createdAt, updatedAt, expiresAt, deletedAt };
  if (!isMetadata(metadata)) throw secretCorrupt(path, name);
  return metadata;
}

/** The same bytes without the methods of a Buffer, which is what better-sqlite3 returns. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function parseTags(text: string): unknown {
  if (text === "[]") return [];
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

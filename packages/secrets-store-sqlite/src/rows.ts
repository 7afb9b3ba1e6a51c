import {
  isMetadata,
  type SealedSecret,
  type SecretMetadata,
  type StoredState,
  secretCorrupt,
} from "@autokestra/secrets-core";

/**
 * The columns that tell which state of which secret a row holds, with their definitions. Schema, queries and the types of rows
 * follow from these lists; what stands in the current row alone is true of the whole secret.
 */
const STATE = [
  ["namespace", "TEXT NOT NULL DEFAULT ''"],
  ["name", "TEXT NOT NULL"],
  ["is_current", "INTEGER NOT NULL CHECK (is_current IN (0, 1))"],
  ["deleted_at", "TEXT CHECK (is_current OR deleted_at IS NULL)"],
  ["version", "INTEGER NOT NULL"],
  ["revision", "INTEGER CHECK (is_current = (revision IS NOT NULL))"],
  ["id", "TEXT NOT NULL"],
] as const;

/** The other columns of a version's metadata. */
const DETAILS = [
  ["type", "TEXT NOT NULL"],
  ["description", "TEXT"],
  ["tags", "TEXT NOT NULL"],
  ["created_at", "TEXT NOT NULL"],
  ["updated_at", "TEXT NOT NULL"],
  ["expires_at", "TEXT"],
  ["imported_id", "INTEGER CHECK (is_current OR imported_id IS NULL)"],
  ["policy", "TEXT CHECK (is_current OR policy IS NULL)"],
] as const;

/** The columns of its envelope, and of the mac of the whole secret. */
const ENVELOPE = [
  ["mac", "TEXT CHECK (is_current OR mac IS NULL)"],
  ["format", "INTEGER NOT NULL"],
  ["key_id", "TEXT NOT NULL"],
  ["nonce", "BLOB NOT NULL"],
  ["tag", "BLOB NOT NULL"],
  ["ciphertext", "BLOB NOT NULL"],
] as const;

type Value<Definition extends string> = Definition extends `BLOB${string}`
  ? Uint8Array
  :
      | (Definition extends `TEXT${string}` ? string : number)
      | (Definition extends `${"TEXT" | "INTEGER"} NOT NULL${string}` ? never : null);

type Row<Columns extends readonly (readonly [string, string])[]> = {
  readonly [Index in keyof Columns]: Value<Columns[Index][1]>;
};

/** One whole version as SQLite keeps it. */
export type SealedRow = readonly [...Row<typeof STATE>, ...Row<typeof DETAILS>, ...Row<typeof ENVELOPE>];

/**
 * The metadata of one version as SQLite keeps them, whatever follows. What the columns hold is checked on the way out, not
 * trusted. Rows are arrays: both ways, SQLite takes longer over names than over values.
 */
export type MetadataRow = readonly [...Row<typeof STATE>, ...Row<typeof DETAILS>, ...unknown[]];

/** The state of a secret as SQLite keeps it, whatever follows. */
export type StateRow = readonly [...Row<typeof STATE>, ...unknown[]];

/** The columns of a {@link StateRow}. */
export const STATE_COLUMNS: readonly string[] = STATE.map(([name]) => name);

/** The columns of a {@link MetadataRow}. */
export const METADATA_COLUMNS: readonly string[] = [...STATE, ...DETAILS].map(([name]) => name);

/** The columns of a {@link SealedRow}. */
export const SEALED_COLUMNS: readonly string[] = [...STATE, ...DETAILS, ...ENVELOPE].map(([name]) => name);

/** The same with their definitions, for CREATE TABLE. */
export const COLUMN_DEFINITIONS: readonly string[] = [...STATE, ...DETAILS, ...ENVELOPE].map((column) =>
  column.join(" "),
);

/** The row of the current version of a secret, or of an older one. */
export function toSealedRow({ metadata, envelope, mac }: SealedSecret, isCurrent: boolean): SealedRow {
  const { name, version, id, type, description, tags, createdAt, updatedAt, expiresAt } = metadata;
  const { revision, deletedAt, importedId, policy } = isCurrent ? metadata : OLDER;
  const { format, keyId, nonce, tag, ciphertext } = envelope;
  const own = [NAMESPACE, name, isCurrent ? 1 : 0, deletedAt, version, revision, id, type, description] as const;
  const times = [JSON.stringify(tags), createdAt, updatedAt, expiresAt] as const;
  return [...own, ...times, importedId, policy, isCurrent ? mac : null, format, keyId, nonce, tag, ciphertext];
}

/** All secrets are in the one namespace that has no name. */
const NAMESPACE = "";

const OLDER = { revision: null, deletedAt: null, importedId: null, policy: null };

/**
 * @param current the metadata of the current version where this is an older one
 * @throws AutokestraError `STORE_CORRUPT`, naming the secret
 */
export function toSealedSecret(row: SealedRow, path: string, current?: SecretMetadata): SealedSecret {
  const [, name, , , , , , , , , , , , , , mac, format, keyId, nonce, tag, ciphertext] = row;
  if (!Number.isSafeInteger(format) || format < 0) throw secretCorrupt(path, name);
  const envelope = { format, keyId, nonce: plain(nonce), ciphertext: plain(ciphertext), tag: plain(tag) };
  return { metadata: toMetadata(row, path, current), envelope, mac };
}

/** The state in the row of a current version. @throws AutokestraError `STORE_CORRUPT`, naming the secret */
export function toState(row: StateRow, path: string): StoredState {
  const [namespace, name, , , version, revision, id] = row;
  if (namespace !== NAMESPACE || revision === null) throw secretCorrupt(path, name);
  return { id, version, revision };
}

/** See {@link toSealedSecret}. */
export function toMetadata(row: MetadataRow, path: string, current?: SecretMetadata): SecretMetadata {
  const [namespace, name, , deletedAt, version, revision, id, type, description, tagList] = row;
  const [, , , , , , , , , , createdAt, updatedAt, expiresAt, importedId, policy] = row;
  const whole = current ?? { revision, deletedAt, importedId, policy };
  const metadata = {
    id,
    name,
    type,
    description,
    tags: parseTags(tagList),
    version,
    revision: whole.revision,
    createdAt,
    updatedAt,
    expiresAt,
    deletedAt: whole.deletedAt,
    importedId: whole.importedId,
    policy: whole.policy,
  };
  // One of another namespace would be missed by its name, and would come unasked by its id.
  if (namespace !== NAMESPACE || !isMetadata(metadata)) throw secretCorrupt(path, name);
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

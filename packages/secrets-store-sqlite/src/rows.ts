import type { EncryptedSecret, SecretMetadata } from "@autokestra/secrets-core";
import {
  fieldNames,
  isMetadata,
  METADATA_FIELDS,
  type MetadataField,
  type MetadataFields,
  type StoredState,
  secretCorrupt,
} from "@autokestra/secrets-core/internal";

/** The columns that tell which state of which secret a row holds, and the fields of metadata that some of them are. */
const STATE = [
  { column: "namespace", definition: "TEXT NOT NULL DEFAULT ''" },
  { field: "name" },
  { column: "is_current", definition: "INTEGER NOT NULL CHECK (is_current IN (0, 1))" },
  { field: "deletedAt" },
  { field: "version" },
  { field: "revision" },
  { field: "id" },
] as const;

/** What a column can hold. */
export type ColumnValue = string | number | null | Uint8Array;

/** The state of a secret as SQLite keeps it. The rules of its columns keep other types out. */
export type StateRow = readonly [
  namespace: string,
  name: string,
  isCurrent: number,
  deletedAt: string | null,
  version: number,
  revision: number | null,
  id: string,
];

/**
 * The metadata of one version as SQLite keeps them, or a whole version: the values of {@link RowFormat.metadataColumns} or of all
 * columns. What they hold is checked on the way out, not trusted. Rows are arrays: both ways, SQLite takes longer over names than over
 * values.
 */
export type VersionRow = readonly [...StateRow, ...ColumnValue[]];

/** The columns of its envelope, and of the mac of the whole secret: the last ones of a row. */
const ENVELOPE = [
  "mac TEXT CHECK (is_current OR mac IS NULL)",
  "format INTEGER NOT NULL",
  "key_id TEXT NOT NULL",
  "nonce BLOB NOT NULL",
  "tag BLOB NOT NULL",
  "ciphertext BLOB NOT NULL",
] as const;

/** All secrets are in the one namespace that has no name. */
const NAMESPACE = "";

/** How the rows of one table of metadata fields look. */
export interface RowFormat<Metadata> {
  /** The columns of the metadata. */
  readonly metadataColumns: readonly string[];
  /** All columns: those of the metadata, then those of the envelope. */
  readonly columns: readonly string[];
  /** The same with their definitions, for CREATE TABLE. */
  readonly definitions: readonly string[];
  /** The columns that are NULL in rows that are not of the current version. */
  readonly ofCurrent: readonly string[];
  /** The values of a row, of the current version of a secret or of an older one. */
  readonly toValues: (metadata: Metadata, isCurrent: boolean) => readonly ColumnValue[];
  /** @param current the metadata of the current version where this is an older one */
  readonly toMetadata: (row: VersionRow, current?: Metadata) => object;
}

/** What fields of metadata hold. */
type Fields<Metadata> = { readonly [Name in keyof Metadata]: string | number | null | readonly string[] };

/** @param fields one column follows from each: its name, its type, its rules, and what is read from it */
export function createRowFormat<Metadata extends Fields<Metadata>>(
  fields: MetadataFields<keyof Metadata & string>,
): RowFormat<Metadata> {
  type Name = keyof Metadata & string;
  const ofState: readonly string[] = STATE.map((part) => ("field" in part ? part.field : part.column));
  const details = fieldNames<Name>(fields).filter((name) => !ofState.includes(name));
  const order = [...ofState, ...details];
  const rows = fieldNames<Name>(fields).map((name) => ({
    name,
    position: order.indexOf(name),
    isOfCurrent: fields[name].keptWith === "current version",
    isList: fields[name].kind === "texts",
  }));
  const define = (name: Name) => `${columnOf(name)} ${definitionOf(columnOf(name), fields[name])}`;
  const state = STATE.map((part) =>
    "field" in part ? define(part.field as Name) : `${part.column} ${part.definition}`,
  );
  const definitions = [...state, ...details.map(define), ...ENVELOPE];
  const columns = definitions.map((definition) => definition.slice(0, definition.indexOf(" ")));

  return {
    metadataColumns: columns.slice(0, order.length),
    columns,
    definitions,
    ofCurrent: [...rows.filter(({ isOfCurrent }) => isOfCurrent).map(({ name }) => columnOf(name)), "mac"],
    toValues(metadata, isCurrent) {
      const values: ColumnValue[] = [NAMESPACE, null, isCurrent ? 1 : 0];
      for (const { name, position, isOfCurrent } of rows) {
        const value = isOfCurrent && !isCurrent ? null : metadata[name];
        values[position] = typeof value === "object" && value !== null ? JSON.stringify(value) : value;
      }
      return values;
    },
    toMetadata(row, current) {
      const metadata: Partial<Record<Name, unknown>> = {};
      for (const { name, position, isOfCurrent, isList } of rows) {
        const value = isOfCurrent && current !== undefined ? current[name] : row[position];
        metadata[name] = isList ? parseTags(String(value)) : value;
      }
      return metadata;
    },
  };
}

/** `created_at` for `createdAt`. */
function columnOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function definitionOf(column: string, { kind, isNullable, keptWith }: MetadataField): string {
  const type = kind === "number" ? "INTEGER" : "TEXT";
  if (keptWith === "every version") return isNullable ? type : `${type} NOT NULL`;
  return `${type} CHECK (${isNullable ? `is_current OR ${column} IS NULL` : `is_current = (${column} IS NOT NULL)`})`;
}

/** The rows of today. */
export const ROWS: RowFormat<SecretMetadata> = createRowFormat<SecretMetadata>(METADATA_FIELDS);

/** The columns of a {@link StateRow}. */
export const STATE_COLUMNS: readonly string[] = ROWS.columns.slice(0, STATE.length);

/** The row of the current version of a secret, or of an older one. */
export function toRow({ metadata, envelope, mac }: EncryptedSecret, isCurrent: boolean): readonly ColumnValue[] {
  const { format, keyId, nonce, tag, ciphertext } = envelope;
  return [...ROWS.toValues(metadata, isCurrent), isCurrent ? mac : null, format, keyId, nonce, tag, ciphertext];
}

/**
 * @param current the metadata of the current version where this is an older one
 * @throws AutokestraError `STORE_CORRUPT`, naming the secret
 */
export function toEncryptedSecret(row: VersionRow, path: string, current?: SecretMetadata): EncryptedSecret {
  const [mac, format, keyId, nonce, tag, ciphertext] = row.slice(ROWS.metadataColumns.length);
  if (!isWhole(format) || !isText(keyId) || !(mac === null || isText(mac))) throw secretCorrupt(path, row[1]);
  if (!isBytes(nonce) || !isBytes(tag) || !isBytes(ciphertext)) throw secretCorrupt(path, row[1]);
  const envelope = { format, keyId, nonce: plain(nonce), ciphertext: plain(ciphertext), tag: plain(tag) };
  return { metadata: toMetadata(row, path, current), envelope, mac };
}

type Cell = ColumnValue | undefined;

function isText(value: Cell): value is string {
  return typeof value === "string";
}

function isWhole(value: Cell): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isBytes(value: Cell): value is Uint8Array {
  return value instanceof Uint8Array;
}

/** The state in the row of a current version. @throws AutokestraError `STORE_CORRUPT`, naming the secret */
export function toState(row: StateRow, path: string): StoredState {
  const [namespace, name, , , version, revision, id] = row;
  if (namespace !== NAMESPACE || revision === null) throw secretCorrupt(path, name);
  return { id, version, revision };
}

/** See {@link toEncryptedSecret}. */
export function toMetadata(row: VersionRow, path: string, current?: SecretMetadata): SecretMetadata {
  const [namespace, name] = row;
  const metadata = ROWS.toMetadata(row, current);
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

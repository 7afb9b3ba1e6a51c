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

/** The columns that identify a secret and its state, and the fields of metadata that some of them hold. */
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

/** The state of a secret as SQLite returns it. The constraints of the columns guarantee these types. */
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
 * One version as SQLite returns it, whole or only its metadata: the values of all columns or of {@link
 * RowFormat.metadataColumns}. The values are checked after reading. Rows are arrays, because named values cost more
 * than the values themselves.
 */
export type VersionRow = readonly [...StateRow, ...ColumnValue[]];

/** The last columns of a row: the mac of the whole secret, and the envelope of the version. */
const ENVELOPE = [
  "mac TEXT CHECK (is_current OR mac IS NULL)",
  "format INTEGER NOT NULL",
  "key_id TEXT NOT NULL",
  "nonce BLOB NOT NULL",
  "tag BLOB NOT NULL",
  "ciphertext BLOB NOT NULL",
] as const;

/** The namespace of all secrets. */
const NAMESPACE = "";

/** The format of rows that follows from a table of metadata fields. */
export interface RowFormat<Metadata> {
  /** The columns of the metadata. */
  readonly metadataColumns: readonly string[];
  /** All columns: those of the metadata, then those of the envelope. */
  readonly columns: readonly string[];
  /** All columns with their definitions, for CREATE TABLE. */
  readonly definitions: readonly string[];
  /** The columns that are NULL except in the row of the current version. */
  readonly ofCurrent: readonly string[];
  /** Returns the values of the metadata columns of a row. */
  readonly toValues: (metadata: Metadata, isCurrent: boolean) => ColumnValue[];
  /**
   * Returns the metadata of a row.
   *
   * @param current for an older version: the metadata of the current one
   */
  readonly toMetadata: (row: VersionRow, current?: Metadata) => object;
}

/** The types of metadata fields. */
type Fields<Metadata> = { readonly [Name in keyof Metadata]: string | number | null | readonly string[] };

/** @param fields each becomes a column, with its name, type, constraints and conversion */
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
        values[position] = typeof value === "object" && value !== null ? formatTags(value) : value;
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

/** Returns the name of a column: `created_at` for `createdAt`. */
function columnOf(name: string): string {
  const lower = (letter: string) => letter.toLowerCase();
  return Array.from(name, (letter) => (letter === lower(letter) ? letter : `_${lower(letter)}`)).join("");
}

function definitionOf(column: string, { kind, isNullable, keptWith }: MetadataField): string {
  const type = kind === "number" ? "INTEGER" : "TEXT";
  if (keptWith === "every version") return isNullable ? type : `${type} NOT NULL`;
  return `${type} CHECK (${isNullable ? `is_current OR ${column} IS NULL` : `is_current = (${column} IS NOT NULL)`})`;
}

/** The format of the rows of layout 2. */
export const ROWS: RowFormat<SecretMetadata> = createRowFormat<SecretMetadata>(METADATA_FIELDS);

/** The columns of a {@link StateRow}. */
export const STATE_COLUMNS: readonly string[] = ROWS.columns.slice(0, STATE.length);

/** Returns the row of a version. */
export function toRow({ metadata, envelope, mac }: EncryptedSecret, isCurrent: boolean): readonly ColumnValue[] {
  const { format, keyId, nonce, tag, ciphertext } = envelope;
  const row = ROWS.toValues(metadata, isCurrent);
  row.push(isCurrent ? mac : null, format, keyId, nonce, tag, ciphertext);
  return row;
}

/**
 * Returns the version in a row.
 *
 * @param current for an older version: the metadata of the current one
 * @throws AutokestraError `STORE_CORRUPT`; the message names the secret
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

/** Returns the state in the row of a current version. @throws AutokestraError `STORE_CORRUPT`; it names the secret */
export function toState(row: StateRow, path: string): StoredState {
  const [namespace, name, , , version, revision, id] = row;
  if (namespace !== NAMESPACE || revision === null) throw secretCorrupt(path, name);
  return { id, version, revision };
}

/** Returns the metadata in a row, as {@link toEncryptedSecret}. */
export function toMetadata(row: VersionRow, path: string, current?: SecretMetadata): SecretMetadata {
  const [namespace, name] = row;
  const metadata = ROWS.toMetadata(row, current);
  // A secret in another namespace would be found by its id, but not by its name.
  if (namespace !== NAMESPACE || !isMetadata(metadata)) throw secretCorrupt(path, name);
  return metadata;
}

/** Returns a plain Uint8Array of the same bytes, because better-sqlite3 returns a Buffer. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Most secrets have no tags: to format them as JSON would take 1 µs of a write. */
const NO_TAGS = "[]";

function formatTags(tags: readonly string[]): string {
  return tags.length === 0 ? NO_TAGS : JSON.stringify(tags);
}

function parseTags(text: string): unknown {
  if (text === NO_TAGS) return [];
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

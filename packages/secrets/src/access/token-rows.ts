import type { Timestamp } from "@autokestra/secrets-core";
import type { Keyring } from "@autokestra/secrets-crypto";
import type { Fields } from "@autokestra/secrets-crypto/internal";
import type { Database, Statement } from "@autokestra/sqlite";
import type { Visibility } from "./permissions.ts";

/** What may be shown of a token: never the token. */
export interface TokenMetadata extends Visibility {
  /** UUID. */
  readonly id: string;
  /** No two tokens have the same. */
  readonly name: string;
  readonly role: string;
  readonly createdAt: Timestamp;
  readonly expiresAt: Timestamp | null;
}

/** A token as it is stored. */
export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly hash: Uint8Array;
  /** JSON arrays. */
  readonly prefixes: string | null;
  readonly tags: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedOn: string | null;
  readonly epoch: number;
  readonly mac: string;
}

/** Selects a {@link TokenRow}. */
const SELECT = `SELECT id, name, role, hash, prefixes, tags, created_at AS createdAt, expires_at AS expiresAt,
  last_used_on AS lastUsedOn, epoch, mac FROM tokens`;

/**
 * The row of a token, as one text in which any change shows of what is authenticated. For a token that is not there the row of another
 * one, so that looking for it is the same work.
 */
const SELECT_BY_HASH = `SELECT id, json_array(id, name, role, hex(hash), prefixes, tags, created_at, expires_at, epoch, mac) AS text
  FROM tokens
  WHERE id = coalesce((SELECT id FROM tokens WHERE hash = ?), (SELECT id FROM tokens ORDER BY id LIMIT 1))`;

const PUT = `INSERT OR REPLACE INTO tokens
    (id, name, role, hash, prefixes, tags, created_at, expires_at, last_used_on, epoch, mac)
  VALUES (@id, @name, @role, @hash, @prefixes, @tags, @createdAt, @expiresAt, @lastUsedOn, @epoch, @mac)`;

export function allRows(database: Database): TokenRow[] {
  return database.prepare<[], TokenRow>(`${SELECT} ORDER BY name, id`).all();
}

/** Tokens of a later epoch, except one. */
export function rowsAfter(database: Database, epoch: number, exceptId: string): TokenRow[] {
  return database.prepare<[number, string], TokenRow>(`${SELECT} WHERE epoch > ? AND id <> ?`).all(epoch, exceptId);
}

export function rowById(database: Database, id: string): TokenRow | undefined {
  return database.prepare<[string], TokenRow>(`${SELECT} WHERE id = ?`).get(id);
}

export function putRows(database: Database, rows: readonly TokenRow[]): void {
  const put = database.prepare<[TokenRow]>(PUT);
  for (const row of rows) put.run(row);
}

type SelectByHash = Statement<[Uint8Array], { readonly id: string; readonly text: string }>;

/** Prepared once for each connection: every request needs it. */
const selectsByHash = new WeakMap<Database, SelectByHash>();

export function selectByHash(database: Database): SelectByHash {
  const statement = selectsByHash.get(database) ?? database.prepare(SELECT_BY_HASH);
  selectsByHash.set(database, statement);
  return statement;
}

/**
 * The epoch of tokens that open something. A process that was killed during a revocation has given the rows their next epoch, and not
 * yet the store: theirs counts. Where the store has none, there were no tokens, whatever stands in the database.
 */
export function currentEpoch(keyring: Keyring, rows: readonly TokenRow[], anchored: number | null): number {
  const epochs = rows.filter((row) => isOfEpoch(keyring, row)).map(({ epoch }) => epoch);
  return anchored === null ? Math.max(0, ...epochs) + 1 : Math.max(anchored, ...epochs);
}

/** Tells whether a row was written by who has the key, in the epoch that it names. */
export function isOfEpoch(keyring: Keyring, row: TokenRow): boolean {
  return keyring.checkFields("token", tokenFields(row), row.mac);
}

function tokenFields(row: Omit<TokenRow, "mac" | "lastUsedOn">): Fields {
  const { epoch, id, name, role, hash, prefixes, tags, createdAt, expiresAt } = row;
  return ["token", epoch, id, name, role, hex(hash), prefixes, tags, createdAt, expiresAt];
}

export function toRow(keyring: Keyring, metadata: TokenMetadata, hash: Uint8Array, epoch: number): TokenRow {
  const lists = { prefixes: toJson(metadata.prefixes), tags: toJson(metadata.tags) };
  const row = { ...metadata, ...lists, hash, epoch };
  return { ...row, lastUsedOn: null, mac: keyring.authenticateFields("token", tokenFields(row)) };
}

export function toMetadata({ id, name, role, prefixes, tags, createdAt, expiresAt }: TokenRow): TokenMetadata {
  return { id, name, role, prefixes: fromJson(prefixes), tags: fromJson(tags), createdAt, expiresAt };
}

function toJson(texts: readonly string[] | null): string | null {
  return texts === null ? null : JSON.stringify(texts);
}

/** A list of another form lets nothing through; its MAC is wrong, too. */
function fromJson(text: string | null): readonly string[] | null {
  if (text === null) return null;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

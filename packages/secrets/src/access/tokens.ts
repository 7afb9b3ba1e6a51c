import { AutokestraError, type Timestamp } from "@autokestra/secrets-core";
import { isIdentifier, quoteText, tagProblem } from "@autokestra/secrets-core/internal";
import type { KeyManager } from "@autokestra/secrets-crypto";
import { hashApiToken, isApiToken, isSameHash, newApiToken } from "@autokestra/secrets-crypto/internal";
import type { Database } from "@autokestra/sqlite";
import { type Location, locationText } from "../location.ts";
import { type AccessDatabase, openAccessDatabase } from "./access-database.ts";
import type { Visibility } from "./permissions.ts";
import { type AnchorStore, TokenEpoch } from "./token-epoch.ts";
import {
  allRows,
  currentEpoch,
  isOfEpoch,
  putRows,
  rowById,
  rowsAfter,
  selectByHash,
  type TokenMetadata,
  type TokenRow,
  toMetadata,
  toRow,
} from "./token-rows.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    TOKEN_EXISTS: object;
    TOKEN_NOT_FOUND: object;
  }
}

export interface ListedToken extends TokenMetadata {
  /** The day of its last use, `2026-11-30`; null where it was never used. */
  readonly lastUsedOn: string | null;
  /** False for a row that was put into the database, changed there or put back: it opens nothing. */
  readonly isAuthentic: boolean;
}

export interface NewToken extends Visibility {
  readonly name: string;
  readonly role: string;
  /** Null: it does not expire. */
  readonly expiresAt: Timestamp | null;
}

export interface CreatedToken {
  /** Is not kept: a lost one is replaced by a new one. */
  readonly token: string;
  readonly metadata: TokenMetadata;
}

/**
 * The tokens of the HTTP API. Each is stored as its SHA-256, with a MAC under the service key of the store: who can write the database
 * makes no token and changes none. Each MAC covers the epoch of tokens, an anchor of the store that every revocation begins anew: a row
 * that is put back after its token was revoked opens nothing.
 *
 * All methods throw AutokestraError `ACCESS_UNAVAILABLE`, `KEY_*`, `INTEGRITY_FAILED`, and the codes of the store.
 */
export interface Tokens {
  /** Creates a token, and a store and a key if there are none yet. @throws `TOKEN_EXISTS`, `VALUE_INVALID` */
  create(input: NewToken): Promise<CreatedToken>;
  /** All tokens, by name. */
  list(): Promise<readonly ListedToken[]>;
  /** @param nameOrId of the token @throws `TOKEN_NOT_FOUND` */
  revoke(nameOrId: string): Promise<TokenMetadata>;
  /** The token of a text; null if it is wrong, or no longer valid. Takes the same time for both. */
  find(text: string): Promise<TokenMetadata | null>;
  /** Tells whether any token can be used now. */
  isAnyUsable(): Promise<boolean>;
  /** The names of those of these tokens, by their ids, that were not revoked. */
  namesOf(ids: Iterable<string>): Promise<ReadonlyMap<string, string>>;
}

/** Tokens with the database that they are in. */
export interface OpenedTokens extends Tokens {
  /** Checks that the database of tokens and audit records can be written. */
  check(): Promise<void>;
  /** May be called again. */
  close(): void;
}

interface TokensOptions {
  readonly access: AccessDatabase;
  readonly store: AnchorStore;
  readonly keys: Pick<KeyManager, "keyring" | "forEncrypt">;
  /** Default: the clock. */
  readonly now?: (() => Timestamp) | undefined;
}

/** A token whose row was verified. */
interface VerifiedToken {
  readonly metadata: TokenMetadata;
  readonly hash: Uint8Array;
  readonly epoch: number;
  /** Its row as it was verified. */
  readonly text: string;
  lastUsedOn: string | null;
}

/** Replaces a token if there is none at all. */
const NO_TOKEN: VerifiedToken = {
  metadata: { id: "", name: "", role: "", prefixes: null, tags: null, createdAt: "", expiresAt: null },
  hash: new Uint8Array(32),
  epoch: 0,
  text: "",
  lastUsedOn: null,
};

/** A row with its text: what is verified is what was read. */
interface FoundRow {
  readonly text: string;
  readonly row: TokenRow;
}

/**
 * Opens the tokens of a store, in the database beside it. Nothing is made or read before it is needed. Close them before the secrets.
 *
 * @param manager the open secrets of a place
 * @throws AutokestraError `OPTION_INVALID` where the store is not in a folder; `ACCESS_UNAVAILABLE` where there is no SQLite
 */
export async function openTokens(manager: Pick<TokensOptions, "store" | "keys"> & HasLocation): Promise<OpenedTokens> {
  const { store, keys, location } = manager;
  if (location.kind === "url") {
    throw new AutokestraError("OPTION_INVALID", `There are no tokens for the secrets at ${locationText(location)}`, {
      hint: "This is possible only with the secrets of a folder.",
    });
  }
  return new StoredTokens({ access: await openAccessDatabase(location.path), store, keys });
}

interface HasLocation {
  readonly location: Location;
}

/** Tokens in the database of tokens and audit records. `store` and `keys` stay with the caller. */
export class StoredTokens implements OpenedTokens {
  readonly #access: AccessDatabase;
  readonly #keys: TokensOptions["keys"];
  readonly #now: () => Timestamp;
  readonly #epoch: TokenEpoch;
  /** What was verified once, by its id: it is not verified again while it is the same, byte by byte. */
  readonly #verified = new Map<string, VerifiedToken>();

  constructor({ access, store, keys, now = () => new Date().toISOString() }: TokensOptions) {
    this.#access = access;
    this.#keys = keys;
    this.#now = now;
    this.#epoch = new TokenEpoch(store, keys);
  }

  async create(input: NewToken): Promise<CreatedToken> {
    const metadata = checkToken(input, this.#now());
    const token = newApiToken();
    const keyring = await this.#keys.forEncrypt(0);
    for (let isWritten = false; !isWritten; ) {
      const anchored = await this.#epoch.read();
      const epoch = await this.#access.write((database) => {
        const isTaken = database.prepare("SELECT 1 FROM tokens WHERE name = ? AND id <> ?");
        // But by the one of an attempt that a revocation has overtaken.
        if (isTaken.get(metadata.name, metadata.id) !== undefined) throw tokenExists(metadata.name);
        const later = rowsAfter(database, anchored ?? -1, metadata.id);
        const current = currentEpoch(keyring, later, anchored);
        putRows(database, [toRow(keyring, metadata, hashApiToken(token), current)]);
        return current;
      });
      isWritten = await this.#epoch.raise(keyring, epoch);
    }
    return { token, metadata };
  }

  async list(): Promise<readonly ListedToken[]> {
    const { rows, isAuthentic } = await this.#readAll();
    return rows.map((row) => ({ ...toMetadata(row), lastUsedOn: row.lastUsedOn, isAuthentic: isAuthentic(row) }));
  }

  async revoke(nameOrId: string): Promise<TokenMetadata> {
    if ((await this.#access.read(allRows)).length === 0) throw tokenNotFound(nameOrId);
    const keyring = await this.#keys.forEncrypt(0);
    const anchored = await this.#epoch.read();
    const { revoked, epoch } = await this.#access.write((database) => {
      const rows = allRows(database);
      const found = rows.find(({ id, name }) => name === nameOrId || id === nameOrId);
      if (found === undefined) throw tokenNotFound(nameOrId);
      const before = currentEpoch(keyring, rows, anchored);
      const others = rows.filter((row) => row !== found && row.epoch === before && isOfEpoch(keyring, row));
      database.prepare("DELETE FROM tokens WHERE id = ?").run(found.id);
      putRows(
        database,
        others.map((row) => ({
          ...toRow(keyring, toMetadata(row), row.hash, before + 1),
          lastUsedOn: row.lastUsedOn,
        })),
      );
      return { revoked: toMetadata(found), epoch: before + 1 };
    });
    await this.#epoch.raise(keyring, epoch);
    return revoked;
  }

  async find(text: string): Promise<TokenMetadata | null> {
    if (!isApiToken(text)) return null;
    const hash = hashApiToken(text);
    const found = await this.#lookUp(hash);
    const time = this.#now();
    const today = time.slice(0, 10);
    const isFirstToday = found.lastUsedOn !== today;
    // Both are asked of every token, so that a wrong one takes as long.
    const [isRight, isOver] = [isSameHash(hash, found.hash), isPast(found.metadata.expiresAt, time)];
    const isUsable = isRight && !isOver;
    if (isUsable && isFirstToday) this.#markUsed(found, today);
    return isUsable ? found.metadata : null;
  }

  async isAnyUsable(): Promise<boolean> {
    const { rows, isAuthentic } = await this.#readAll();
    return rows.some((row) => isAuthentic(row) && !isPast(row.expiresAt, this.#now()));
  }

  async namesOf(ids: Iterable<string>): Promise<ReadonlyMap<string, string>> {
    // Before the rows, as in `#readAll`.
    const epoch = await this.#epoch.read();
    const rows = await this.#access.read((database) => [...new Set(ids)].flatMap((id) => rowById(database, id) ?? []));
    if (epoch === null || rows.length === 0) return new Map();
    const keyring = await this.#keys.keyring();
    const authentic = rows.filter((row) => row.epoch >= epoch && isOfEpoch(keyring, row));
    return new Map(authentic.map(({ id, name }) => [id, name]));
  }

  async check(): Promise<void> {
    await this.#access.write(() => undefined);
  }

  close(): void {
    this.#access.close();
  }

  /** All rows, and which of them open something. */
  async #readAll(): Promise<{
    readonly rows: readonly TokenRow[];
    readonly isAuthentic: (row: TokenRow) => boolean;
  }> {
    // Without tokens there may be no key either.
    if ((await this.#access.read(allRows)).length === 0) return { rows: [], isAuthentic: () => false };
    const keyring = await this.#keys.keyring();
    // Before the rows: a revocation changes the rows first.
    const anchored = await this.#epoch.read();
    const rows = await this.#access.read(allRows);
    const epoch = currentEpoch(keyring, rows, anchored);
    if (anchored !== null) this.#epoch.see(epoch);
    return { rows, isAuthentic: (row) => row.epoch === epoch && isOfEpoch(keyring, row) };
  }

  /**
   * The token with this hash; if there is none, another one, which is the same work. It is read each time, because other processes,
   * and people without the key, can change it at any time: one row takes as long among thousands of them.
   */
  async #lookUp(hash: Uint8Array): Promise<VerifiedToken> {
    // Before the row, as in `#readAll`.
    const anchored = await this.#epoch.read();
    const epoch = this.#epoch.see(anchored ?? 0);
    const found = await this.#access.read((database) => this.#readByHash(database, hash));
    if (anchored === null || found === null) return NO_TOKEN;
    const token = "row" in found ? await this.#verify(found) : found;
    if (token === null || token.epoch < epoch) return NO_TOKEN;
    this.#epoch.see(token.epoch);
    return token;
  }

  /** @returns what is verified already, else the row */
  #readByHash(database: Database, hash: Uint8Array): VerifiedToken | FoundRow | null {
    const found = selectByHash(database).get(hash);
    if (found === undefined) return null;
    const before = this.#verified.get(found.id);
    if (before?.text === found.text) return before;
    const row = rowById(database, found.id);
    return row === undefined ? null : { text: found.text, row };
  }

  async #verify({ text, row }: FoundRow): Promise<VerifiedToken | null> {
    if (!isOfEpoch(await this.#keys.keyring(), row)) return null;
    const { id, hash, epoch, lastUsedOn } = row;
    const token = { metadata: toMetadata(row), hash, epoch, text, lastUsedOn };
    this.#verified.set(id, token);
    return token;
  }

  /** Once a day, and without waiting for it: a failed write locks nobody out. */
  #markUsed(token: VerifiedToken, today: string): void {
    token.lastUsedOn = today;
    const { id } = token.metadata;
    this.#access
      .write((database) => database.prepare("UPDATE tokens SET last_used_on = ? WHERE id = ?").run(today, id))
      .catch(() => undefined);
  }
}

/** @throws AutokestraError `VALUE_INVALID` */
function checkToken({ name, role, prefixes, tags, expiresAt }: NewToken, now: Timestamp): TokenMetadata {
  if (!isIdentifier(name)) {
    throw invalidToken("its name takes letters, digits, underscore and hyphen");
  }
  const badPrefix = prefixes?.find((prefix) => !isIdentifier(prefix));
  if (badPrefix !== undefined) throw invalidToken(`no secret has a name that begins with '${quoteText(badPrefix)}'`);
  const badTag = tags?.find((tag) => tagProblem(tag) !== null);
  if (badTag !== undefined) throw invalidToken(`no secret has the tag '${quoteText(badTag)}'`);
  if (isPast(expiresAt, now)) throw invalidToken("its expiry is over already");
  return { id: crypto.randomUUID(), name, role, prefixes, tags, createdAt: now, expiresAt };
}

function isPast(expiresAt: Timestamp | null, now: Timestamp): boolean {
  return expiresAt !== null && expiresAt <= now;
}

function invalidToken(problem: string): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `The token cannot be made: ${problem}`);
}

function tokenExists(name: string): AutokestraError {
  return new AutokestraError("TOKEN_EXISTS", `Token '${quoteText(name)}' already exists`, {
    hint: "Revoke it first, or use another name.",
  });
}

function tokenNotFound(name: string): AutokestraError {
  return new AutokestraError("TOKEN_NOT_FOUND", `Token '${quoteText(name)}' not found`);
}

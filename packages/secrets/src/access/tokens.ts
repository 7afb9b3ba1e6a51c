import { type Anchor, AutokestraError, type SecretStore, type Timestamp } from "@autokestra/secrets-core";
import { isIdentifier, quoteText, tagProblem } from "@autokestra/secrets-core/internal";
import type { KeyManager, Keyring } from "@autokestra/secrets-crypto";
import { type Fields, hashApiToken, isApiToken, isSameHash, newApiToken } from "@autokestra/secrets-crypto/internal";
import type { Database, Statement } from "@autokestra/sqlite";
import { type Location, locationText } from "../location.ts";
import { type AccessDatabase, type DatabaseState, openAccessDatabase } from "./access-database.ts";
import type { Visibility } from "./permissions.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    TOKEN_EXISTS: object;
    TOKEN_NOT_FOUND: object;
  }
}

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
  /** Is not kept: whoever loses it makes another one. */
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
  /** Makes a token, and store and key where there are none yet. @throws `TOKEN_EXISTS`, `VALUE_INVALID` */
  create(input: NewToken): Promise<CreatedToken>;
  /** All tokens, by name. */
  list(): Promise<readonly ListedToken[]>;
  /** @param nameOrId of the token @throws `TOKEN_NOT_FOUND` */
  revoke(nameOrId: string): Promise<TokenMetadata>;
  /** The token that a text is; null where it is none, or none any more. Takes as long for a wrong one as for a right one. */
  find(text: string): Promise<TokenMetadata | null>;
  /** Tells whether any token can be used now. */
  isAnyUsable(): Promise<boolean>;
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
  readonly store: Pick<SecretStore, "readAnchor" | "writeAnchor">;
  readonly keys: Pick<KeyManager, "keyring" | "forEncrypt">;
  /** Default: the clock. */
  readonly now?: (() => Timestamp) | undefined;
}

/** The anchor whose counter is the epoch of tokens. */
const ANCHOR = "tokens";

interface TokenRow {
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

const SELECT = `SELECT id, name, role, hash, prefixes, tags, created_at AS createdAt, expires_at AS expiresAt,
  last_used_on AS lastUsedOn, epoch, mac FROM tokens ORDER BY name, id`;

const PUT = `INSERT OR REPLACE INTO tokens
    (id, name, role, hash, prefixes, tags, created_at, expires_at, last_used_on, epoch, mac)
  VALUES (@id, @name, @role, @hash, @prefixes, @tags, @createdAt, @expiresAt, @lastUsedOn, @epoch, @mac)`;

/** A token that opens something. */
interface UsableToken {
  readonly metadata: TokenMetadata;
  readonly hash: Uint8Array;
  lastUsedOn: string | null;
}

/** What was read, and of which state of the database. */
interface KnownTokens extends DatabaseState {
  readonly usable: readonly UsableToken[];
  /** All that decides which tokens open something, as it was read. */
  readonly seen: string;
}

/** Stands for a token that is not there, so that looking for it is the same work. */
const NO_TOKEN: UsableToken = {
  metadata: { id: "", name: "", role: "", prefixes: null, tags: null, createdAt: "", expiresAt: null },
  hash: new Uint8Array(32),
  lastUsedOn: null,
};

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
  const access = await openAccessDatabase(location.path);
  return {
    ...createTokens({ access, store, keys }),
    check: async () => await access.write(() => undefined),
    close: () => access.close(),
  };
}

interface HasLocation {
  readonly location: Location;
}

/** `access`, `store` and `keys` stay with the caller. */
export function createTokens(options: TokensOptions): Tokens {
  const { access, store, keys, now = () => new Date().toISOString() } = options;
  let known: KnownTokens | null = null;

  async function readEpoch(keyring: Keyring): Promise<number | null> {
    return epochOf(keyring, await store.readAnchor(ANCHOR));
  }

  /** What the store says; null where there never was a token. @throws AutokestraError `INTEGRITY_FAILED` */
  function epochOf(keyring: Keyring, anchor: Anchor | null): number | null {
    if (anchor === null) return null;
    if (keyring.checkFields("token", epochFields(anchor.counter), anchor.mac)) return anchor.counter;
    throw new AutokestraError("INTEGRITY_FAILED", "What the store says of revoked tokens was changed", {
      hint: "Restore the store from a backup.",
    });
  }

  /** Makes the epoch of the store this one. @returns false where it is a later one already */
  async function raiseEpoch(keyring: Keyring, epoch: number): Promise<boolean> {
    for (;;) {
      const before = await readEpoch(keyring);
      if (before !== null && before >= epoch) return before === epoch;
      const mac = keyring.authenticateFields("token", epochFields(epoch));
      if (await store.writeAnchor({ name: ANCHOR, counter: epoch, text: "", mac }, before)) return true;
    }
  }

  /** All rows, and which of them open something. */
  async function readTokens(): Promise<RowsAndEpoch> {
    const seen = await access.read(readRows);
    // Without tokens there may be no key either.
    if (seen.rows.length === 0) return { ...seen, anchor: null, isAuthentic: () => false };
    const keyring = await keys.keyring();
    // Before the rows: a revocation changes the rows first.
    const anchor = await store.readAnchor(ANCHOR);
    const { rows, ...where } = await access.read(readRows);
    const epoch = currentEpoch(keyring, rows, epochOf(keyring, anchor));
    return { ...where, rows, anchor, isAuthentic: (row) => row.epoch === epoch && isOfEpoch(keyring, row) };
  }

  async function usableTokens(): Promise<KnownTokens["usable"]> {
    const { database, version } = await access.state();
    if (known?.database !== database || known.version !== version) known = await readUsable(known);
    return known.usable;
  }

  /**
   * Every record of the audit log is a change of the database, too. What was seen to be authentic still is where rows and epoch are the
   * same, byte by byte.
   */
  async function readUsable(before: KnownTokens | null): Promise<KnownTokens> {
    if (before !== null) {
      // The anchor first, as in `readTokens`.
      const anchor = await store.readAnchor(ANCHOR);
      const { rows, ...where } = await access.read(readRows);
      if (textOf(rows, anchor) === before.seen) return { ...before, ...where };
    }
    const { rows, isAuthentic, anchor, ...where } = await readTokens();
    const usable = rows.filter(isAuthentic).map(toUsable);
    return { ...where, usable, seen: textOf(rows, anchor) };
  }

  /** Once a day, and without waiting for it: nobody is kept out because this cannot be written. */
  function markUsed(token: UsableToken, today: string): void {
    token.lastUsedOn = today;
    const { id } = token.metadata;
    access
      .write((database) => database.prepare("UPDATE tokens SET last_used_on = ? WHERE id = ?").run(today, id))
      .catch(() => undefined);
  }

  return {
    async create(input) {
      const metadata = checkToken(input, now());
      const token = newApiToken();
      const keyring = await keys.forEncrypt(0);
      for (let isWritten = false; !isWritten; ) {
        const anchored = await readEpoch(keyring);
        const epoch = await access.write((database) => {
          // But the one of an attempt that a revocation has overtaken.
          const rows = allRows(database).filter(({ id }) => id !== metadata.id);
          if (rows.some(({ name }) => name === metadata.name)) throw tokenExists(metadata.name);
          const current = currentEpoch(keyring, rows, anchored);
          database.prepare<[object]>(PUT).run(toRow(keyring, metadata, hashApiToken(token), current));
          return current;
        });
        isWritten = await raiseEpoch(keyring, epoch);
      }
      known = null;
      return { token, metadata };
    },

    async list() {
      const { rows, isAuthentic } = await readTokens();
      return rows.map((row) => ({
        ...toMetadata(row),
        lastUsedOn: row.lastUsedOn,
        isAuthentic: isAuthentic(row),
      }));
    },

    async revoke(nameOrId) {
      if ((await access.read(allRows)).length === 0) throw tokenNotFound(nameOrId);
      const keyring = await keys.forEncrypt(0);
      const anchored = await readEpoch(keyring);
      const { revoked, epoch } = await access.write((database) => {
        const rows = allRows(database);
        const found = rows.find(({ id, name }) => name === nameOrId || id === nameOrId);
        if (found === undefined) throw tokenNotFound(nameOrId);
        const before = currentEpoch(keyring, rows, anchored);
        const replace = database.prepare<[object]>(PUT);
        database.prepare("DELETE FROM tokens WHERE id = ?").run(found.id);
        for (const row of rows) {
          if (row === found || row.epoch !== before || !isOfEpoch(keyring, row)) continue;
          replace.run({ ...toRow(keyring, toMetadata(row), row.hash, before + 1), lastUsedOn: row.lastUsedOn });
        }
        return { revoked: toMetadata(found), epoch: before + 1 };
      });
      known = null;
      await raiseEpoch(keyring, epoch);
      // Once more: what was being read meanwhile may be from before.
      known = null;
      return revoked;
    },

    async find(text) {
      if (!isApiToken(text)) return null;
      const hash = hashApiToken(text);
      const tokens = await usableTokens();
      // All of them, also after the right one: a map would find one in another time than none.
      let found = NO_TOKEN;
      for (const token of tokens) found = isSameHash(hash, token.hash) ? token : found;
      const time = now();
      const today = time.slice(0, 10);
      const isFirstToday = found.lastUsedOn !== today;
      // Both are asked of every token, so that a wrong one takes as long.
      const [isRight, isOver] = [isSameHash(hash, found.hash), isPast(found.metadata.expiresAt, time)];
      const isUsable = isRight && !isOver;
      if (isUsable && isFirstToday) markUsed(found, today);
      return isUsable ? found.metadata : null;
    },

    async isAnyUsable() {
      const tokens = [...(await usableTokens()).values()];
      return tokens.some(({ metadata }) => !isPast(metadata.expiresAt, now()));
    },
  };
}

/** The rows of one moment. */
interface Rows extends DatabaseState {
  readonly rows: readonly TokenRow[];
}

interface RowsAndEpoch extends Rows {
  /** What the store said of the epoch; null where it was not asked. */
  readonly anchor: Anchor | null;
  readonly isAuthentic: (row: TokenRow) => boolean;
}

function readRows(database: Database): Rows {
  return { database, version: database.pragma("data_version"), rows: allRows(database) };
}

function allRows(database: Database): TokenRow[] {
  let statement = selects.get(database);
  if (statement === undefined) {
    statement = database.prepare<[], TokenRow>(SELECT);
    selects.set(database, statement);
  }
  return statement.all();
}

/** Prepared once for each connection: every request can need it. */
const selects = new WeakMap<Database, Statement<[], TokenRow>>();

/** Differs where anything differs that decides which tokens open something. */
function textOf(rows: readonly TokenRow[], anchor: Anchor | null): string {
  return JSON.stringify([anchor, rows.map((row) => [...tokenFields(row), row.mac])]);
}

/**
 * The epoch of tokens that open something. A process that was killed during a revocation has given the rows their next epoch, and not
 * yet the store: theirs counts. Where the store has none, there were no tokens, whatever stands in the database.
 */
function currentEpoch(keyring: Keyring, rows: readonly TokenRow[], anchored: number | null): number {
  const epochs = rows.filter((row) => isOfEpoch(keyring, row)).map(({ epoch }) => epoch);
  return anchored === null ? Math.max(0, ...epochs) + 1 : Math.max(anchored, ...epochs);
}

/** Tells whether a row was written by who has the key, in the epoch that it names. */
function isOfEpoch(keyring: Keyring, row: TokenRow): boolean {
  return keyring.checkFields("token", tokenFields(row), row.mac);
}

function tokenFields(row: Omit<TokenRow, "mac" | "lastUsedOn">): Fields {
  const { epoch, id, name, role, hash, prefixes, tags, createdAt, expiresAt } = row;
  return ["token", epoch, id, name, role, hex(hash), prefixes, tags, createdAt, expiresAt];
}

function epochFields(epoch: number): Fields {
  return ["token epoch", epoch];
}

function toRow(keyring: Keyring, metadata: TokenMetadata, hash: Uint8Array, epoch: number): TokenRow {
  const lists = { prefixes: toJson(metadata.prefixes), tags: toJson(metadata.tags) };
  const row = { ...metadata, ...lists, hash, epoch };
  return { ...row, lastUsedOn: null, mac: keyring.authenticateFields("token", tokenFields(row)) };
}

function toMetadata({ id, name, role, prefixes, tags, createdAt, expiresAt }: TokenRow): TokenMetadata {
  return { id, name, role, prefixes: fromJson(prefixes), tags: fromJson(tags), createdAt, expiresAt };
}

function toUsable(row: TokenRow): UsableToken {
  return { metadata: toMetadata(row), hash: row.hash, lastUsedOn: row.lastUsedOn };
}

function toJson(texts: readonly string[] | null): string | null {
  return texts === null ? null : JSON.stringify(texts);
}

/** What is none of our lists lets nothing through; its MAC is wrong, too. */
function fromJson(text: string | null): readonly string[] | null {
  if (text === null) return null;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
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

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

function invalidToken(problem: string): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `The token cannot be made: ${problem}`);
}

function tokenExists(name: string): AutokestraError {
  return new AutokestraError("TOKEN_EXISTS", `There is a token '${quoteText(name)}' already`, {
    hint: "Revoke it first, or take another name.",
  });
}

function tokenNotFound(name: string): AutokestraError {
  return new AutokestraError("TOKEN_NOT_FOUND", `Token '${quoteText(name)}' not found`);
}

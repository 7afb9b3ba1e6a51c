import { type Anchor, AutokestraError, type SecretStore, type Timestamp } from "@autokestra/secrets-core";
import { isIdentifier, quoteText, tagProblem } from "@autokestra/secrets-core/internal";
import type { KeyManager, Keyring } from "@autokestra/secrets-crypto";
import { type Fields, hashApiToken, isApiToken, isSameHash, newApiToken } from "@autokestra/secrets-crypto/internal";
import type { Database, Statement } from "@autokestra/sqlite";
import { type Location, locationText } from "../location.ts";
import { type AccessDatabase, openAccessDatabase } from "./access-database.ts";
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

/** A token whose row was verified. */
interface VerifiedToken {
  readonly metadata: TokenMetadata;
  readonly hash: Uint8Array;
  readonly epoch: number;
  /** Its row as it was verified. */
  readonly text: string;
  lastUsedOn: string | null;
}

/** Stands for a token where there is none at all. */
const NO_TOKEN: VerifiedToken = {
  metadata: { id: "", name: "", role: "", prefixes: null, tags: null, createdAt: "", expiresAt: null },
  hash: new Uint8Array(32),
  epoch: 0,
  text: "",
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
  /** What was verified once, by its id: it is not verified again while it is the same, byte by byte. */
  const verified = new Map<string, VerifiedToken>();
  let verifiedAnchor: Anchor | null = null;
  /** The latest epoch that was seen. What is of an earlier one was put back, whatever the store says. */
  let newest = 0;

  /** What the store says; null where there never was a token. @throws AutokestraError `INTEGRITY_FAILED` */
  async function readEpoch(): Promise<number | null> {
    const anchor = await store.readAnchor(ANCHOR);
    if (anchor === null) return null;
    const { counter, mac } = anchor;
    if (counter === verifiedAnchor?.counter && mac === verifiedAnchor.mac) return counter;
    if (!(await keys.keyring()).checkFields("token", epochFields(counter), mac)) throw epochChanged();
    verifiedAnchor = anchor;
    return counter;
  }

  /** Makes the epoch of the store this one. @returns false where it is a later one already */
  async function raiseEpoch(keyring: Keyring, epoch: number): Promise<boolean> {
    for (;;) {
      const before = await readEpoch();
      if (before !== null && before >= epoch) return before === epoch;
      const mac = keyring.authenticateFields("token", epochFields(epoch));
      if (await store.writeAnchor({ name: ANCHOR, counter: epoch, text: "", mac }, before)) return true;
    }
  }

  /** All rows, and which of them open something. */
  async function readTokens(): Promise<RowsAndEpoch> {
    // Without tokens there may be no key either.
    if ((await access.read(allRows)).length === 0) return { rows: [], isAuthentic: () => false };
    const keyring = await keys.keyring();
    // Before the rows: a revocation changes the rows first.
    const anchored = await readEpoch();
    const rows = await access.read(allRows);
    const epoch = currentEpoch(keyring, rows, anchored);
    if (anchored !== null) newest = Math.max(newest, epoch);
    return { rows, isAuthentic: (row) => row.epoch === epoch && isOfEpoch(keyring, row) };
  }

  /**
   * The token with this hash; where there is none, another one, which is the same work. It is read each time, because other processes,
   * and people without the key, can change it at any time: one row takes as long among thousands of them.
   */
  async function lookUp(hash: Uint8Array): Promise<VerifiedToken> {
    // Before the row, as in `readTokens`.
    const anchored = await readEpoch();
    newest = Math.max(newest, anchored ?? 0);
    const epoch = newest;
    const found = await access.read((database) => readByHash(database, hash));
    if (anchored === null || found === null) return NO_TOKEN;
    const token = "row" in found ? await verify(found) : found;
    if (token === null || token.epoch < epoch) return NO_TOKEN;
    newest = Math.max(newest, token.epoch);
    return token;
  }

  /** @returns what is verified already, else the row */
  function readByHash(database: Database, hash: Uint8Array): VerifiedToken | FoundRow | null {
    const found = selectByHash(database).get(hash);
    if (found === undefined) return null;
    const before = verified.get(found.id);
    if (before?.text === found.text) return before;
    const row = rowById(database, found.id);
    return row === undefined ? null : { text: found.text, row };
  }

  async function verify({ text, row }: FoundRow): Promise<VerifiedToken | null> {
    if (!isOfEpoch(await keys.keyring(), row)) return null;
    const { id, hash, epoch, lastUsedOn } = row;
    const token = { metadata: toMetadata(row), hash, epoch, text, lastUsedOn };
    verified.set(id, token);
    return token;
  }

  /** Once a day, and without waiting for it: nobody is kept out because this cannot be written. */
  function markUsed(token: VerifiedToken, today: string): void {
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
        const anchored = await readEpoch();
        const epoch = await access.write((database) => {
          const isTaken = database.prepare("SELECT 1 FROM tokens WHERE name = ? AND id <> ?");
          // But by the one of an attempt that a revocation has overtaken.
          if (isTaken.get(metadata.name, metadata.id) !== undefined) throw tokenExists(metadata.name);
          const later = database.prepare<[number, string], TokenRow>(`${SELECT} WHERE epoch > ? AND id <> ?`);
          const current = currentEpoch(keyring, later.all(anchored ?? -1, metadata.id), anchored);
          database.prepare<[object]>(PUT).run(toRow(keyring, metadata, hashApiToken(token), current));
          return current;
        });
        isWritten = await raiseEpoch(keyring, epoch);
      }
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
      const anchored = await readEpoch();
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
      await raiseEpoch(keyring, epoch);
      return revoked;
    },

    async find(text) {
      if (!isApiToken(text)) return null;
      const hash = hashApiToken(text);
      const found = await lookUp(hash);
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
      const { rows, isAuthentic } = await readTokens();
      return rows.some((row) => isAuthentic(row) && !isPast(row.expiresAt, now()));
    },

    async namesOf(ids) {
      // Before the rows, as in `readTokens`.
      const epoch = await readEpoch();
      const rows = await access.read((database) => [...new Set(ids)].flatMap((id) => rowById(database, id) ?? []));
      if (epoch === null || rows.length === 0) return new Map();
      const keyring = await keys.keyring();
      const authentic = rows.filter((row) => row.epoch >= epoch && isOfEpoch(keyring, row));
      return new Map(authentic.map(({ id, name }) => [id, name]));
    },
  };
}

interface RowsAndEpoch {
  readonly rows: readonly TokenRow[];
  readonly isAuthentic: (row: TokenRow) => boolean;
}

function allRows(database: Database): TokenRow[] {
  return database.prepare<[], TokenRow>(`${SELECT} ORDER BY name, id`).all();
}

function rowById(database: Database, id: string): TokenRow | undefined {
  return database.prepare<[string], TokenRow>(`${SELECT} WHERE id = ?`).get(id);
}

/** A row with its text: what is verified is what was read. */
interface FoundRow {
  readonly text: string;
  readonly row: TokenRow;
}

type SelectByHash = Statement<[Uint8Array], { readonly id: string; readonly text: string }>;

/** Prepared once for each connection: every request needs it. */
const selectsByHash = new WeakMap<Database, SelectByHash>();

function selectByHash(database: Database): SelectByHash {
  const statement = selectsByHash.get(database) ?? database.prepare(SELECT_BY_HASH);
  selectsByHash.set(database, statement);
  return statement;
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

function epochChanged(): AutokestraError {
  return new AutokestraError("INTEGRITY_FAILED", "What the store says of revoked tokens was changed", {
    hint: "Restore the store from a backup.",
  });
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

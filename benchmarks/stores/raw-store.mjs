import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { createRequire } from "node:module";
import { nameOf, PLAINTEXT } from "./installation.mjs";

/** @typedef {{ nonce: Buffer, tag: Buffer, ciphertext: Buffer, mac: string }} Encrypted */
/** @typedef {import("../../packages/secrets-core/dist/index.js").SecretMetadata} SecretMetadata */
/** @typedef {Record<"id" | "name" | "type" | "tags" | "created_at" | "updated_at", string> & Record<"description" | "expires_at" | "deleted_at" | "policy", string | null> & Record<"version" | "revision", number> & { imported_id: number | null }} Row */

/** @type {typeof import("better-sqlite3")} */
export const Database = createRequire(new URL("../../packages/sqlite/package.json", import.meta.url))("better-sqlite3");

const ID = crypto.randomUUID();
const TIME = "2026-01-02T03:04:05.678Z";
const STORE = crypto.randomUUID();
const KEY_ID = "0badcafe";
const METADATA_COLUMNS =
  "id, name, type, description, tags, version, revision, created_at, updated_at, expires_at, deleted_at, imported_id, policy";
const COLUMNS = `${METADATA_COLUMNS}, mac, format, key_id, nonce, tag, ciphertext`;

/**
 * What one would write by hand: one table with one row for each secret, WAL with synchronous = FULL, statements prepared once. No
 * versions, no checks, no promises.
 *
 * @param {string} path @param {number} size
 */
export function openRawStore(path, size) {
  const key = randomBytes(32);
  const macKey = randomBytes(32);
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma("secure_delete = ON");
  database.exec(`CREATE TABLE secrets (
    id TEXT NOT NULL, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, description TEXT, tags TEXT NOT NULL,
    version INTEGER NOT NULL, revision INTEGER, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, expires_at TEXT,
    deleted_at TEXT, imported_id INTEGER, policy TEXT, mac TEXT, format INTEGER NOT NULL, key_id TEXT NOT NULL, nonce BLOB NOT NULL, tag BLOB NOT NULL,
    ciphertext BLOB NOT NULL
  ) STRICT`);
  const changes = COLUMNS.split(", ").map((column) => `${column} = excluded.${column}`);
  const upsert = database.prepare(`
    INSERT INTO secrets (${COLUMNS}) VALUES (${COLUMNS.replaceAll(/\w+/g, "?")})
    ON CONFLICT (name) DO UPDATE SET ${changes.join(", ")}`);
  const select = database.prepare(`SELECT ${COLUMNS} FROM secrets WHERE name = ?`);
  const page = database.prepare(`
    SELECT ${METADATA_COLUMNS} FROM secrets WHERE name > ? ORDER BY name LIMIT 50`);

  /** @param {Row} row @param {Encrypted} encrypted */
  function put(row, { nonce, tag, ciphertext, mac }) {
    const { id, name, type, description, tags, version, revision, created_at, updated_at, expires_at, ...rest } = row;
    const metadata = [id, name, type, description, tags, version, revision, created_at, updated_at, expires_at];
    const whole = [rest.deleted_at, rest.imported_id, rest.policy];
    upsert.run(...metadata, ...whole, mac, 2, KEY_ID, nonce, tag, ciphertext);
  }

  database.transaction(() => {
    for (let index = 0; index < size; index++) {
      const row = rowOf(nameOf(index), 1);
      put(row, encrypt(key, macKey, row, PLAINTEXT));
    }
  })();
  const sample = { ...rowOf(nameOf(0), 1), ...encrypt(key, macKey, rowOf(nameOf(0), 1), PLAINTEXT) };
  return {
    database,
    /** Writes a record that was encrypted before. @param {string} name @param {number} version */
    put: (name, version) => put(rowOf(name, version), sample),
    /** @param {string} name */
    read: (name) => select.get(name),
    /** Reads, verifies and decrypts in one function. @param {string} name */
    get: (name) => decrypt(key, macKey, /** @type {Row & Encrypted} */ (select.get(name))),
    /** The same without reading. */
    decrypt: () => decrypt(key, macKey, sample),
    /** @param {string} after */
    page: (after) => page.all(after),
  };
}

/** @param {string} name @param {number} version @returns {Row} */
function rowOf(name, version) {
  const times = { created_at: TIME, updated_at: TIME, expires_at: null, deleted_at: null };
  return {
    id: ID,
    name,
    type: "apiKey",
    description: null,
    tags: "[]",
    version,
    revision: version,
    ...times,
    imported_id: null,
    policy: null,
  };
}

/** @param {Buffer} key @param {Buffer} macKey @param {Row} row @param {string} payload @returns {Encrypted} */
export function encrypt(key, macKey, row, payload) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(identityOf(row)));
  const ciphertext = cipher.update(payload, "utf8");
  cipher.final();
  return { nonce, ciphertext, tag: cipher.getAuthTag(), mac: authenticate(macKey, row, nonce) };
}

/** What the ciphertext is bound to. @param {Row} row */
function identityOf({ id, name, type, version, expires_at, policy }) {
  return JSON.stringify(["secret", STORE, id, name, type, version, KEY_ID, expires_at, policy]);
}

/** @param {Buffer} macKey @param {Row} row @param {Buffer} nonce */
function authenticate(macKey, row, nonce) {
  const { id, name, type, version, revision, description, tags, created_at, updated_at, expires_at } = row;
  const identity = ["record", id, name, type, version, nonce.toString("base64"), revision, description, tags];
  const times = [created_at, updated_at, expires_at, row.deleted_at, row.imported_id, row.policy];
  return createHmac("sha256", macKey)
    .update(JSON.stringify([identity, times]))
    .digest("base64");
}

/** @param {Buffer} key @param {Buffer} macKey @param {Row & Encrypted} row */
export function decrypt(key, macKey, row) {
  const { nonce, tag, ciphertext, mac } = row;
  if (!timingSafeEqual(Buffer.from(authenticate(macKey, row, nonce)), Buffer.from(mac))) {
    throw new Error("the MAC is wrong");
  }
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(Buffer.from(identityOf(row)));
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext, undefined, "utf8");
  decipher.final();
  return JSON.parse(plaintext);
}

import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { createRequire } from "node:module";
import { nameOf, PLAINTEXT } from "./installation.mjs";

/** @typedef {{ nonce: Buffer, tag: Buffer, ciphertext: Buffer, mac: string }} Sealed */

/** @type {typeof import("better-sqlite3")} */
export const Database = createRequire(new URL("../../packages/secrets-store-sqlite/package.json", import.meta.url))(
  "better-sqlite3",
);

const ID = crypto.randomUUID();
const TIME = "2026-01-02T03:04:05.678Z";
/** As long as what a ciphertext of these benchmarks is bound to. */
const AAD = randomBytes(162);
/** As long as what the MAC of a record of these benchmarks is over. */
const FIELDS = randomBytes(208);
const METADATA_COLUMNS =
  "id, name, type, description, tags, version, revision, created_at, updated_at, expires_at, deleted_at, imported_id, policy";
const COLUMNS = `${METADATA_COLUMNS}, mac, format, key_id, nonce, tag, ciphertext`;

/**
 * What one would write by hand: one table with a row per secret, WAL with synchronous = FULL, statements prepared once. No
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

  /** @param {string} name @param {number} version @param {Sealed} sealed */
  function put(name, version, { nonce, tag, ciphertext, mac }) {
    const metadata = [ID, name, "apiKey", null, "[]", version, version, TIME, TIME, null, null, null, null];
    upsert.run(...metadata, mac, 2, "0badcafe", nonce, tag, ciphertext);
  }

  database.transaction(() => {
    for (let index = 0; index < size; index++) put(nameOf(index), 1, seal(key, macKey));
  })();
  const sample = seal(key, macKey);
  return {
    database,
    /** Writes a record that was sealed before. @param {string} name @param {number} version */
    put: (name, version) => put(name, version, sample),
    /** @param {string} name */
    read: (name) => select.get(name),
    /** Reading, checking the MAC and opening in one function. @param {string} name */
    get: (name) => open(key, macKey, /** @type {Sealed} */ (select.get(name))),
    /** The same without reading. */
    open: () => open(key, macKey, sample),
    /** @param {string} after */
    page: (after) => page.all(after),
  };
}

/** @param {Buffer} key @param {Buffer} macKey @returns {Sealed} */
function seal(key, macKey) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  cipher.setAAD(AAD);
  const ciphertext = cipher.update(PLAINTEXT, "utf8");
  cipher.final();
  return { nonce, ciphertext, tag: cipher.getAuthTag(), mac: authenticate(macKey) };
}

/** @param {Buffer} macKey */
function authenticate(macKey) {
  return createHmac("sha256", macKey).update(FIELDS).digest("base64");
}

/** @param {Buffer} key @param {Buffer} macKey @param {Sealed} sealed */
function open(key, macKey, { nonce, tag, ciphertext, mac }) {
  if (!timingSafeEqual(Buffer.from(authenticate(macKey)), Buffer.from(mac))) throw new Error("the MAC is wrong");
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(AAD);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext, undefined, "utf8");
  decipher.final();
  return plaintext;
}

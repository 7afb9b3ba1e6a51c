import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { nameOf, PLAINTEXT } from "./installation.mjs";

/** @type {typeof import("better-sqlite3")} */
export const Database = createRequire(new URL("../../packages/secrets-store-sqlite/package.json", import.meta.url))(
  "better-sqlite3",
);

const ID = crypto.randomUUID();
const TIME = "2026-01-02T03:04:05.678Z";
/** As long as that of a record of these benchmarks. */
const AAD = randomBytes(180);
const COLUMNS =
  "id, name, type, description, tags, version, created_at, updated_at, expires_at, deleted_at, format, key_id, nonce, tag, ciphertext";

/**
 * What one would write by hand: one table with a row per secret, WAL with synchronous = FULL, statements prepared once. No
 * versions, no checks, no promises.
 *
 * @param {string} path @param {number} size
 */
export function openRawStore(path, size) {
  const key = randomBytes(32);
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma("secure_delete = ON");
  database.exec(`CREATE TABLE secrets (
    id TEXT NOT NULL, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, description TEXT, tags TEXT NOT NULL,
    version INTEGER NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, expires_at TEXT, deleted_at TEXT,
    format INTEGER NOT NULL, key_id TEXT NOT NULL, nonce BLOB NOT NULL, tag BLOB NOT NULL, ciphertext BLOB NOT NULL
  ) STRICT`);
  const changes = COLUMNS.split(", ").map((column) => `${column} = excluded.${column}`);
  const upsert = database.prepare(`
    INSERT INTO secrets (${COLUMNS}) VALUES (${COLUMNS.replaceAll(/\w+/g, "?")})
    ON CONFLICT (name) DO UPDATE SET ${changes.join(", ")}`);
  const select = database.prepare(`SELECT ${COLUMNS} FROM secrets WHERE name = ?`);
  const page = database.prepare(`
    SELECT ${COLUMNS.slice(0, COLUMNS.indexOf(", format"))} FROM secrets WHERE name > ? ORDER BY name LIMIT 50`);

  /** @param {string} name @param {number} version @param {{ nonce: Buffer, tag: Buffer, ciphertext: Buffer }} sealed */
  function put(name, version, { nonce, tag, ciphertext }) {
    const metadata = [ID, name, "apiKey", null, "[]", version, TIME, TIME, null, null];
    upsert.run(...metadata, 1, "0badcafe", nonce, tag, ciphertext);
  }

  database.transaction(() => {
    for (let index = 0; index < size; index++) put(nameOf(index), 1, seal(key));
  })();
  const sample = seal(key);
  return {
    database,
    /** Writes a record that was sealed before. @param {string} name @param {number} version */
    put: (name, version) => put(name, version, sample),
    /** @param {string} name */
    read: (name) => select.get(name),
    /** Reading and opening in one function. @param {string} name */
    get(name) {
      const row = /** @type {{ nonce: Buffer, tag: Buffer, ciphertext: Buffer }} */ (select.get(name));
      return open(key, row);
    },
    /** Opening alone. */
    open: () => open(key, sample),
    /** @param {string} after */
    page: (after) => page.all(after),
  };
}

/** @param {Buffer} key */
function seal(key) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  cipher.setAAD(AAD);
  const ciphertext = cipher.update(PLAINTEXT, "utf8");
  cipher.final();
  return { nonce, ciphertext, tag: cipher.getAuthTag() };
}

/** @param {Buffer} key @param {{ nonce: Buffer, tag: Buffer, ciphertext: Buffer }} sealed */
function open(key, { nonce, tag, ciphertext }) {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(AAD);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext, undefined, "utf8");
  decipher.final();
  return plaintext;
}

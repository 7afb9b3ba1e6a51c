import { randomBytes } from "node:crypto";
import { lstatSync } from "node:fs";
import { Database, decrypt, encrypt } from "./raw-store.mjs";

/** @typedef {import("./raw-store.mjs").Row} Row */
/** @typedef {import("./raw-store.mjs").Encrypted} Encrypted */

const METADATA_COLUMNS =
  "id, name, type, description, tags, version, revision, created_at, updated_at, expires_at, deleted_at, imported_id, policy";
const ENCRYPTED_COLUMNS = "mac, format, key_id, nonce, tag, ciphertext";

const UUID = /^[\da-f]{8}-[\da-f]{4}-[1-8][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const NAME = /^[A-Za-z0-9_-]{1,255}$/;
const LINE = /^[^\p{C}\p{Zl}\p{Zp}]*$/u;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const TYPES = ["apiKey", "basicAuth", "bearerToken", "oauth", "custom"];
const MAX_LENGTH = 16 * 1024 * 1024;

/**
 * The statements of one `put`, written out by hand, over a file that the store has made: the header, the current version, which
 * is retired, the new one, and the oldest, which goes. With the checks that every store must make, and behind the same promises.
 *
 * @param {string} path @param {number} maxVersions
 */
export function openRawVersions(path, maxVersions) {
  const database = new Database(path, { timeout: 0 });
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma("secure_delete = ON");
  const inode = lstatSync(path, { bigint: true }).ino;
  const key = randomBytes(32);
  const macKey = randomBytes(32);
  const header = database.prepare("SELECT text FROM store_header").pluck();
  const openedHeader = header.get();
  const living = "FROM secret_versions WHERE namespace = '' AND name = ? AND is_current = 1 AND deleted_at IS NULL";
  const current = database.prepare(`SELECT id, revision ${living}`);
  const select = database.prepare(`SELECT ${METADATA_COLUMNS}, ${ENCRYPTED_COLUMNS} ${living}`);
  const retire = database.prepare(`
    UPDATE secret_versions
    SET is_current = 0, revision = NULL, deleted_at = NULL, imported_id = NULL, policy = NULL, mac = NULL
    WHERE id = ? AND is_current = 1`);
  const insert = database.prepare(`
    INSERT INTO secret_versions (is_current, ${METADATA_COLUMNS}, ${ENCRYPTED_COLUMNS})
    VALUES (1, ${`${METADATA_COLUMNS}, ${ENCRYPTED_COLUMNS}`.replaceAll(/\w+/g, "?")})`);
  const trim = database.prepare(`
    DELETE FROM secret_versions INDEXED BY versions_by_id WHERE id = ? AND is_current = 0
      AND version <= (SELECT version FROM secret_versions WHERE id = ? ORDER BY version DESC LIMIT 1 OFFSET ?)`);

  const write = database.transaction(
    /** @param {Row} row @param {Encrypted} encrypted @param {number} expected the revision that is there */
    (row, { nonce, tag, ciphertext, mac }, expected) => {
      const { id, name, type, description, tags, version, revision, created_at, updated_at, expires_at } = row;
      if (lstatSync(path, { bigint: true }).ino !== inode) throw new Error("it was moved");
      if (header.get() !== openedHeader) throw new Error("the keys were changed");
      const stored = /** @type {{ id: string, revision: number }} */ (current.get(name));
      if (stored.id !== id || stored.revision !== expected) throw new Error("another process has written in between");
      retire.run(id);
      const own = [id, name, type, description, tags, version, revision, created_at, updated_at, expires_at];
      insert.run(...own, row.deleted_at, row.imported_id, row.policy, mac, 2, "0badcafe", nonce, tag, ciphertext);
      trim.run(id, id, maxVersions);
    },
  ).immediate;

  /** Writes a record that was encrypted before. @param {Row} row @param {Encrypted} encrypted @param {number} expected */
  async function put(row, encrypted, expected) {
    if (!isRecord(row, encrypted)) throw new TypeError("it is no record");
    write(row, encrypted, expected);
  }

  /** One more version, of which the flags are those of the version before. @param {string} name @param {string} value */
  async function set(name, value) {
    const isRight = NAME.test(name) && typeof value === "string" && value !== "" && value.isWellFormed();
    if (!isRight || value.length > MAX_LENGTH) throw new TypeError("this cannot be kept");
    const before = /** @type {Row & Encrypted} */ (select.get(name));
    const { public: publicFields, masked } = decrypt(key, macKey, before);
    const time = new Date().toISOString();
    const { version, revision } = before;
    const row = { ...before, version: version + 1, revision: revision + 1, updated_at: time };
    const payload = JSON.stringify({ fields: { value }, public: publicFields, masked });
    write(row, encrypt(key, macKey, row, payload), revision);
  }

  /** Encrypts all records of the store again, under the keys of this one. @param {string} payload */
  function encryptAll(payload) {
    const change = database.prepare(
      "UPDATE secret_versions SET mac = ?, nonce = ?, tag = ?, ciphertext = ? WHERE id = ?",
    );
    const rows = /** @type {Row[]} */ (database.prepare(`SELECT ${METADATA_COLUMNS} FROM secret_versions`).all());
    database.transaction(() => {
      for (const row of rows) {
        const { mac, nonce, tag, ciphertext } = encrypt(key, macKey, row, payload);
        change.run(mac, nonce, tag, ciphertext, row.id);
      }
    })();
  }

  return { database, put, set, encryptAll };
}

/** What a store must refuse to keep, as its contract says. @param {Row} row @param {Encrypted} encrypted */
function isRecord(row, { nonce, tag, ciphertext, mac }) {
  return (
    UUID.test(row.id) &&
    NAME.test(row.name) &&
    TYPES.includes(row.type) &&
    (row.description === null || LINE.test(row.description)) &&
    (row.tags === "[]" || JSON.parse(row.tags).every((/** @type {string} */ text) => LINE.test(text))) &&
    Number.isSafeInteger(row.version) &&
    row.version > 0 &&
    Number.isSafeInteger(row.revision) &&
    row.revision > 0 &&
    TIME.test(row.created_at) &&
    TIME.test(row.updated_at) &&
    (row.expires_at === null || TIME.test(row.expires_at)) &&
    row.deleted_at === null &&
    (row.imported_id === null || Number.isSafeInteger(row.imported_id)) &&
    (row.policy === null || typeof row.policy === "string") &&
    [nonce, tag, ciphertext].every((bytes) => bytes instanceof Uint8Array) &&
    typeof mac === "string"
  );
}

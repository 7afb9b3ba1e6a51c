import { Database } from "./raw-store.mjs";

/**
 * The statements of one `put`, written out by hand, over a file that the store has made: the header, the current version, which
 * is retired, the new one, and the oldest, which goes. No checks, no promises.
 *
 * @param {string} path @param {number} keepVersions
 */
export function openRawVersions(path, keepVersions) {
  const database = new Database(path, { timeout: 0 });
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma("secure_delete = ON");
  const header = database.prepare("SELECT text FROM store_header").pluck();
  const current = database
    .prepare(`
      SELECT version, revision, id FROM secret_versions
      WHERE namespace = '' AND name = ? AND is_current = 1 AND deleted_at IS NULL`)
    .raw(true);
  const retire = database.prepare(`
    UPDATE secret_versions
    SET is_current = 0, revision = NULL, deleted_at = NULL, imported_id = NULL, policy = NULL, mac = NULL
    WHERE id = ? AND is_current = 1`);
  const insert = database.prepare(`
    INSERT INTO secret_versions
      (name, is_current, deleted_at, version, revision, id, type, description, tags, created_at, updated_at, expires_at,
      imported_id, policy, mac, format, key_id, nonce, tag, ciphertext)
    VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const trim = database.prepare(`
    DELETE FROM secret_versions INDEXED BY versions_by_id WHERE id = ? AND is_current = 0
      AND version <= (SELECT version FROM secret_versions WHERE id = ? ORDER BY version DESC LIMIT 1 OFFSET ?)`);
  const time = "2026-01-02T03:04:05.678Z";

  const put = database.transaction(
    /** @param {string} name @param {import("../../packages/secrets-core/dist/index.js").SealedSecret} sealed */
    (name, { envelope: { format, keyId, nonce, tag, ciphertext }, mac }) => {
      header.get();
      const [version, revision, id] = /** @type {[number, number, string]} */ (current.get(name));
      retire.run(id);
      const own = [name, null, version + 1, revision + 1, id, "apiKey", null, "[]", time, time, null, null, null];
      insert.run(...own, mac, format, keyId, nonce, tag, ciphertext);
      trim.run(id, id, keepVersions);
    },
  );
  return { database, put: put.immediate };
}

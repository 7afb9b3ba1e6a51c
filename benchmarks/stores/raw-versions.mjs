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
  const header = database.prepare("SELECT text FROM header").pluck();
  const current = database.prepare("SELECT version, id FROM secrets WHERE name = ? AND is_current = 1").raw(true);
  const retire = database.prepare(
    "UPDATE secrets SET is_current = 0, deleted_at = NULL WHERE name = ? AND is_current = 1",
  );
  const insert = database.prepare("INSERT INTO secrets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const trim = database.prepare(`
    DELETE FROM secrets INDEXED BY secrets_version WHERE name = ? AND is_current = 0
      AND version <= (SELECT version FROM secrets WHERE name = ? ORDER BY version DESC LIMIT 1 OFFSET ?)`);
  const time = "2026-01-02T03:04:05.678Z";

  const put = database.transaction(
    /**
     * @param {string} name
     * @param {import("../../packages/secrets-core/dist/index.js").Envelope} envelope
     */
    (name, { format, keyId, nonce, tag, ciphertext }) => {
      header.get();
      const [version, id] = /** @type {[number, string]} */ (current.get(name));
      retire.run(name);
      const metadata = [id, name, "apiKey", null, "[]", version + 1, 1, time, time, null, null];
      insert.run(...metadata, format, keyId, nonce, tag, ciphertext);
      trim.run(name, name, keepVersions);
    },
  );
  return { database, put: put.immediate };
}

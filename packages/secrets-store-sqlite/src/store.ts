import { resolve } from "node:path";
import type { SecretStore, StoreAbilities } from "@autokestra/secrets-core";
import { DEFAULT_MAX_VERSIONS } from "@autokestra/secrets-core/internal";
import { backupDatabase, readSqliteFacts, type SqliteFacts } from "@autokestra/sqlite";
import type { SecretReader } from "./reader.ts";
import { openSession } from "./session.ts";
import type { SecretWriter } from "./writer.ts";

export interface SqliteStoreOptions {
  /** How long to wait for other processes, in milliseconds. Default: 5000. */
  readonly busyTimeoutMs?: number | undefined;
  /** Create the store if it does not exist. If false, that is `STORE_UNAVAILABLE`. Default: true. */
  readonly create?: boolean | undefined;
}

/**
 * A store in one SQLite database. `facts` returns its version, its settings and whether it is sound, for a diagnosis.
 */
export type SqliteStore = SecretStore & StoreAbilities & { facts(): Promise<SqliteFacts> };

/**
 * Opens a store of encrypted secrets in one SQLite database, and creates it if it does not exist: the file with mode
 * 0600 and its folder with 0700, whatever the umask. Looser modes are tightened first. Any number of processes may use
 * it at the same time. Close it at the end.
 *
 * @param path the path of the database file; a symbolic link is refused
 * @throws AutokestraError `STORE_UNAVAILABLE` (`isSqliteMissing` of `@autokestra/sqlite` tells whether SQLite is not
 * installed), `STORE_CORRUPT`, `STORE_TOO_NEW`
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { parseSecretName } from "@autokestra/secrets-core";
 * import { sampleSecret } from "@autokestra/secrets-core/testing"; // an encrypted secret with made-up bytes
 * import { openSqliteStore } from "@autokestra/secrets-store-sqlite";
 *
 * const store = await openSqliteStore(join(mkdtempSync(join(tmpdir(), "demo-")), "secrets.db"));
 * await store.put([{ secret: sampleSecret("TOKEN"), expected: null }], await store.readHeader());
 * console.log((await store.get(parseSecretName("TOKEN")))?.metadata.version); // prints 1
 * console.log((await store.facts()).journalMode); // prints wal
 * await store.close();
 * ```
 */
export async function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
  const { busyTimeoutMs = 5000, create = true } = options;
  const session = await openSession(resolve(path), busyTimeoutMs, create);
  const { write, truncateWal } = session;
  const read = <T>(work: (reader: SecretReader) => T) => session.read(({ reader }) => work(reader()));

  /** If `work` has removed anything, also removes it from the WAL. */
  async function erase<T extends boolean | number>(work: (writer: SecretWriter) => T): Promise<T> {
    const removed = await write(work);
    if (removed) truncateWal();
    return removed;
  }

  return {
    driver: "sqlite",
    layout: () => session.read(({ layout }) => layout()),
    upgrade: (header, expected, authenticate) => erase((writer) => writer.upgrade(header, expected, authenticate)),
    readHeader: () => read((reader) => reader.header()),
    writeHeader: (header, expected, unusedKeys = []) =>
      write((writer) => writer.writeHeader(header, expected, unusedKeys)),
    get: (name) => read((reader) => reader.get(name)),
    find: (id) => read((reader) => reader.find(id)),
    versions: (id) => read((reader) => reader.versions(id)),
    ids: (page) => read((reader) => reader.ids(page)),
    list: (filter) => read((reader) => reader.list(filter)),
    count: (filter) => read((reader) => reader.count(filter)),
    put: (writes, header, { maxVersions = DEFAULT_MAX_VERSIONS } = {}) =>
      write((writer) => writer.put(writes, header, maxVersions)),
    rewrite: (change, header, { maxVersions = DEFAULT_MAX_VERSIONS } = {}) =>
      write((writer) => writer.rewrite(change, header, maxVersions)),
    reencrypt: (secrets, header) => write((writer) => writer.reencrypt(secrets, header)),
    delete: (id, deletedAt) => erase((writer) => writer.delete(id, deletedAt)),
    purge: (...ids) => erase((writer) => ids.filter((id) => writer.purge(id)).length > 0),
    purgeDeleted: (before) => erase((writer) => writer.purgeDeleted(before)),
    readAnchor: (name) => read((reader) => reader.anchor(name)),
    writeAnchor: (anchor, expected) => write((writer) => writer.writeAnchor(anchor, expected)),
    anchors: () => read((reader) => reader.anchors()),
    async bulkInsert(secrets) {
      await write((writer) => {
        for (const versions of secrets) writer.insert(versions);
      });
    },
    backup: (target) => session.read(({ database }) => backupDatabase(database, resolve(target))),
    snapshot: () => session.read(({ database }) => database.serialize()),
    exclusively: session.exclusively,
    facts: () => session.read(({ database }) => readSqliteFacts(database)),
    close: session.close,
  };
}

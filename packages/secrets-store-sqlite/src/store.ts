import { resolve } from "node:path";
import type { SecretStore, StoreAbilities } from "@autokestra/secrets-core";
import { DEFAULT_MAX_VERSIONS } from "@autokestra/secrets-core/internal";
import { backupDatabase, readSqliteFacts, type SqliteFacts } from "@autokestra/sqlite";
import type { SecretReader } from "./reader.ts";
import { openSession } from "./session.ts";
import type { SecretWriter } from "./writer.ts";

export interface SqliteStoreOptions {
  /** How long to wait for other processes, in milliseconds; 5000 unless told. */
  readonly busyTimeoutMs?: number | undefined;
  /** False: a store that is not there is `STORE_UNAVAILABLE`. True unless told. */
  readonly create?: boolean | undefined;
}

/** A store in one SQLite database. */
export type SqliteStore = SecretStore & StoreAbilities & { facts(): Promise<SqliteFacts> };

/**
 * Opens a store of encrypted secrets in one SQLite database, and makes it where there is none: the file with mode 0600, its
 * folder with 0700, also under umask 000. Looser modes are tightened first. Any number of processes may use it at once.
 *
 * @param path the database file; a symbolic link is refused
 * @throws AutokestraError `STORE_UNAVAILABLE` (`isSqliteMissing` tells a missing library from a store in trouble),
 * `STORE_CORRUPT`, `STORE_TOO_NEW`
 */
export async function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
  const { busyTimeoutMs = 5000, create = true } = options;
  const session = await openSession(resolve(path), busyTimeoutMs, create);
  const { write, truncateWal } = session;
  const read = <T>(work: (reader: SecretReader) => T) => session.read(({ reader }) => work(reader()));

  /** What was there is removed from the disk, too, where `work` has removed anything. */
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
    rewrite: (change, header) => write((writer) => writer.rewrite(change, header)),
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
    exclusively: session.exclusively,
    facts: () => session.read(({ database }) => readSqliteFacts(database)),
    close: session.close,
  };
}

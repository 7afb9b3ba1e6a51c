import { resolve } from "node:path";
import { KEPT_VERSIONS, type SecretStoreFile } from "@autokestra/secrets-core";
import { backupDatabase } from "./backup-database.ts";
import { openSession } from "./session.ts";
import { readSqliteFacts, type SqliteFacts } from "./sqlite-facts.ts";

export interface SqliteStoreOptions {
  /** How long to wait for other processes, in milliseconds; 5000 unless told. */
  readonly busyTimeoutMs?: number | undefined;
  /** False: a store that is not there is `STORE_UNAVAILABLE`. True unless told. */
  readonly create?: boolean | undefined;
}

/** A store in one SQLite database. */
export interface SqliteStore extends SecretStoreFile {
  facts(): Promise<SqliteFacts>;
}

/**
 * Opens a store of sealed secrets in one SQLite database, and makes it where there is none: the file with mode 0600, its
 * folder with 0700, also under umask 000. Looser modes are tightened first. Any number of processes may use it at once.
 *
 * @param path the database file; a symbolic link is refused
 * @throws AutokestraError `STORE_UNAVAILABLE` (`isSqliteMissing` tells a missing library from a store in trouble),
 * `STORE_CORRUPT`, `STORE_TOO_NEW`
 */
export async function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
  const { busyTimeoutMs = 5000, create = true } = options;
  const session = await openSession(resolve(path), busyTimeoutMs, create);
  const { read, write, truncateWal } = session;

  return {
    backend: "sqlite",
    readHeader: () => read(({ reader }) => reader.header()),
    writeHeader: (header, expected) => write((writer) => writer.writeHeader(header, expected)),
    get: (name) => read(({ reader }) => reader.get(name)),
    history: (name) => read(({ reader }) => reader.history(name)),
    names: (page) => read(({ reader }) => reader.names(page)),
    list: (filter) => read(({ reader }) => reader.list(filter)),
    put: (writes, header, { keepVersions = KEPT_VERSIONS } = {}) =>
      write((writer) => writer.put(writes, header, keepVersions)),
    reseal: (secrets, header) => write((writer) => writer.reseal(secrets, header)),
    async delete(name, deletedAt) {
      const deleted = await write((writer) => writer.delete(name, deletedAt));
      if (deleted) truncateWal();
      return deleted;
    },
    restore: (name) => write((writer) => writer.restore(name)),
    async purge(name) {
      const purged = await write((writer) => writer.purge(name));
      if (purged) truncateWal();
      return purged;
    },
    async purgeDeleted(before) {
      const count = await write((writer) => writer.purgeDeleted(before));
      if (count > 0) truncateWal();
      return count;
    },
    async load(histories) {
      await write((writer) => {
        for (const history of histories) writer.load(history);
      });
    },
    backup: (target) => read(({ database }) => backupDatabase(database, resolve(target))),
    exclusively: session.exclusively,
    facts: () => read(({ database }) => readSqliteFacts(database)),
    close: session.close,
  };
}

import { resolve } from "node:path";
import {
  checkHeader,
  checkWrite,
  type SecretMetadata,
  type SecretName,
  type SecretStore,
  type SecretWrite,
  storeClosed,
  storeCorrupt,
  storeUnavailable,
} from "@autokestra/secrets-core";
import { type Connection, openConnection } from "./connection.ts";
import { retryWhileBusy } from "./retry-while-busy.ts";
import { type SealedRow, toMetadata, toSealedRow, toSealedSecret } from "./sealed-row.ts";
import { loadSqlite } from "./sqlite-library.ts";
import { toStoreError } from "./store-error.ts";

export interface SqliteStoreOptions {
  /** How long to wait for other processes, in milliseconds; 5000 unless told. */
  readonly busyTimeoutMs?: number | undefined;
}

/**
 * Opens a store of sealed secrets in one SQLite database, and makes it where there is none: the file with mode 0600, its
 * folder with 0700, also under umask 000. Looser modes are tightened first. Any number of processes may use it at once.
 *
 * @param path the database file; a symbolic link is refused
 * @throws AutokestraError `STORE_UNAVAILABLE` (`isSqliteMissing` tells a missing library from a store in trouble),
 * `STORE_CORRUPT`, `STORE_TOO_NEW`
 */
export async function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<SecretStore> {
  const { busyTimeoutMs = 5000 } = options;
  const file = resolve(path);
  const library = await loadSqlite();

  async function attempt<T>(work: () => T): Promise<T> {
    try {
      return await retryWhileBusy(busyTimeoutMs, work);
    } catch (error) {
      throw toStoreError(error, file);
    }
  }

  const connection = await attempt(() => openConnection(library, file));
  return createStore(connection, file, attempt);
}

function createStore(
  { database, statements, isInPlace }: Connection,
  file: string,
  attempt: <T>(work: () => T) => Promise<T>,
): SecretStore {
  async function use<T>(work: () => T): Promise<T> {
    return await attempt(() => {
      if (!database.open) throw storeClosed();
      return work();
    });
  }

  async function write<T>(work: () => T): Promise<T> {
    return await use(() => {
      if (!isInPlace()) throw storeUnavailable(file, "it was moved or removed while it was open");
      return work();
    });
  }

  function metadataOf(name: SecretName): SecretMetadata | null {
    const row = statements.getMetadata.get(name);
    return row === undefined ? null : toMetadata(row, file);
  }

  const compareAndSet = database.transaction((writes: readonly SecretWrite[], header: string | null) => {
    checkHeader(statements.readHeader.get() ?? null, header);
    for (const one of writes) statements.put.run(toSealedRow(checkWrite(one, metadataOf)));
  });

  /** Past the index, in one snapshot: between two of them another process can have written the name. */
  const lookAgain = database.transaction((name: SecretName): SealedRow | null => {
    const row = statements.get.get(name);
    if (row === undefined && statements.isListed.get(name) !== undefined)
      throw storeCorrupt(file, "its index is damaged");
    return row ?? null;
  });

  /** Old ciphertexts stay in the WAL until it is cut. Where others still read it, the next cut will do. */
  function truncateWal(): void {
    try {
      database.pragma("wal_checkpoint(TRUNCATE)");
    } catch {
      // What was written is safe in the WAL: this is no reason to call it failed.
    }
  }

  return {
    backend: "sqlite",
    async readHeader() {
      return await use(() => statements.readHeader.get() ?? null);
    },
    async writeHeader(header, expected) {
      return await write(() => {
        const { insertHeader, replaceHeader } = statements;
        const { changes } = expected === null ? insertHeader.run(header) : replaceHeader.run(header, expected);
        return changes === 1;
      });
    },
    async get(name) {
      return await use(() => {
        const row = statements.get.get(name) ?? lookAgain(name);
        return row === null ? null : toSealedSecret(row, file);
      });
    },
    async list({ type = null, tags = [] } = {}) {
      return await use(() => {
        const rows = statements.list.all({ type, tags: JSON.stringify(tags) });
        return rows.map((row) => toMetadata(row, file));
      });
    },
    async put(writes, header) {
      // Immediate: a read in a deferred transaction cannot become a write where another process has written in between.
      await write(() => compareAndSet.immediate(writes, header));
    },
    async delete(name) {
      const { changes } = await write(() => statements.delete.run(name));
      if (changes > 0) truncateWal();
      return changes > 0;
    },
    async close() {
      if (!database.open) return;
      truncateWal();
      database.close();
    },
  };
}

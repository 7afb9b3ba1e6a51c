import { type AutokestraError, storeClosed, storeUnavailable } from "@autokestra/secrets-core";
import { type Connection, notInPlace, openConnection } from "./connection.ts";
import { isBusy, retryWhileBusy } from "./retry-while-busy.ts";
import { loadSqlite } from "./sqlite-library.ts";
import type { SecretWriter } from "./write-secrets.ts";
import { READ_ONLY, toStoreError } from "./store-error.ts";

/** Keeps a database open, waits for other processes, and throws nothing but AutokestraError. */
export interface Session {
  readonly read: <T>(work: (connection: Connection) => T) => Promise<T>;
  readonly write: <T>(work: (writer: SecretWriter) => T) => Promise<T>;
  /** Old ciphertexts stay in the WAL until it is cut. Where others still read it, the next cut will do. */
  readonly truncateWal: () => void;
  /** See SecretStoreFile. */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/**
 * @param path absolute
 * @param create false: there must be a database
 */
export async function openSession(path: string, busyTimeoutMs: number, create: boolean): Promise<Session> {
  const library = await loadSqlite();
  let connection = await attempt(() => openConnection(library, path, create));
  let isOpen = true;

  async function attempt<T>(work: () => T): Promise<T> {
    try {
      return await retryWhileBusy(busyTimeoutMs, work);
    } catch (error) {
      throw toStoreError(error, path);
    }
  }

  function use(): Connection {
    if (!isOpen) throw storeClosed();
    return connection;
  }

  function reopen(): void {
    const next = openConnection(library, path, false);
    connection.database.close();
    connection = next;
  }

  /** The database itself: what kept it from being opened can be gone by now. */
  function useWritable(): Connection {
    if (use().obstacle !== null) reopen();
    if (connection.obstacle !== null) throw connection.obstacle;
    return connection;
  }

  function truncateWal(): void {
    try {
      connection.database.pragma("wal_checkpoint(TRUNCATE)");
    } catch {
      // What was written is safe in the WAL: this is no reason to call it failed.
    }
  }

  return {
    async read(work) {
      return await attempt(() => {
        const { obstacle, isInPlace } = use();
        if (obstacle !== null && !isInPlace()) reopen();
        return work(connection);
      });
    },
    async write(work) {
      return await attempt(() => useWritable().write(work));
    },
    truncateWal,
    async exclusively(work) {
      try {
        await retryWhileBusy(busyTimeoutMs, () => takeWhole(useWritable(), path));
      } catch (error) {
        throw isBusy(error) ? inUse(path) : toStoreError(error, path);
      }
      return await work();
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      truncateWal();
      connection.database.close();
    },
  };
}

/** Locks everybody else out until the connection is closed, and brings the content of the WAL into the database. */
function takeWhole({ database, isInPlace }: Connection, path: string): void {
  database.pragma("locking_mode = EXCLUSIVE");
  try {
    const mode = database.pragma("journal_mode = DELETE", { simple: true });
    if (mode !== "delete") throw storeUnavailable(path, READ_ONLY);
    if (!isInPlace()) throw notInPlace(path);
  } catch (error) {
    database.pragma("locking_mode = NORMAL");
    throw error;
  }
}

function inUse(path: string): AutokestraError {
  return storeUnavailable(path, "another process has it in use", "End what uses these secrets, then try again.");
}

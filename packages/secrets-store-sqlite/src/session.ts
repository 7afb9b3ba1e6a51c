import type { AutokestraError } from "@autokestra/secrets-core";
import { storeClosed, storeUnavailable } from "@autokestra/secrets-core/internal";
import {
  deadlineAfter,
  isBusy,
  loadSqlite,
  lockExclusively,
  movedOrRemovedError,
  pause,
  retryWhileBusy,
  type SqliteLibrary,
  toStoreError,
  truncateWal,
} from "@autokestra/sqlite";
import { type Connection, openConnection, refuseAt } from "./connection.ts";
import type { SecretWriter } from "./writer.ts";

/** How long a process is polite to other writers after a conflict, in milliseconds. */
const POLITE_MS = 1000;

/** Keeps a database open and waits for other processes. Throws only AutokestraError. */
export interface Session {
  readonly read: <T>(work: (connection: Connection) => T) => Promise<T>;
  readonly write: <T>(work: (writer: SecretWriter) => T) => Promise<T>;
  /** Removes old ciphertexts from the WAL. While other processes still read it, it is left to the next call. */
  readonly truncateWal: () => void;
  /** See ExclusiveLock. */
  readonly exclusively: <T>(work: (isUnchanged: () => boolean) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** An open database, which is opened again when needed. */
interface Opened {
  readonly current: () => Connection;
  /** Returns the connection, or a new one if it is a copy in memory and the file has changed since. */
  readonly readable: () => Connection;
  /** Returns a connection to the file itself. Tries again to open one if the last time it could only be copied. */
  readonly writable: () => Connection;
  readonly close: () => void;
}

/**
 * @param path an absolute path
 * @param create create the database if it does not exist
 */
export async function openSession(path: string, busyTimeoutMs: number, create: boolean): Promise<Session> {
  const library = await loadSqlite();
  const opened = await attempt(() => keepOpen(library, path, create));
  let lastBusy = Number.NEGATIVE_INFINITY;

  async function attempt<T>(work: () => T): Promise<T> {
    try {
      return work();
    } catch (error) {
      return await tryAgain(error, work);
    }
  }

  /** Being able to wait costs as much as half a query, so the first attempt is made without it. */
  async function tryAgain<T>(first: unknown, work: () => T): Promise<T> {
    if (!isBusy(first)) throw toStoreError(first, path);
    try {
      return await retryWhileBusy(work, { giveUpAt: deadlineAfter(busyTimeoutMs) });
    } catch (error) {
      throw toStoreError(error, path);
    }
  }

  /** After a conflict, waits a little before each write, because the gap between two writes is too short for others. */
  async function write<T>(work: (writer: SecretWriter) => T): Promise<T> {
    if (performance.now() - lastBusy < POLITE_MS) await pause();
    try {
      return opened.writable().write(work);
    } catch (error) {
      return await tryAgain(error, () => {
        lastBusy = performance.now();
        return opened.writable().write(work);
      });
    }
  }

  return {
    read: (work) => attempt(() => work(opened.readable())),
    write,
    truncateWal: () => truncateWal(opened.current().database),
    async exclusively(work) {
      try {
        await retryWhileBusy(() => lockOthersOut(opened.writable(), path), { giveUpAt: deadlineAfter(busyTimeoutMs) });
      } catch (error) {
        throw isBusy(error) ? inUse(path) : toStoreError(error, path);
      }
      return await work(opened.current().isInPlace);
    },
    async close() {
      opened.close();
    },
  };
}

function lockOthersOut({ database, isInPlace }: Connection, path: string): void {
  const refuse = refuseAt(path);
  lockExclusively(database, refuse, () => {
    if (!isInPlace()) throw movedOrRemovedError(refuse);
  });
}

function keepOpen(library: SqliteLibrary, path: string, create: boolean): Opened {
  let connection = openConnection(library, path, create);
  let isOpen = true;

  function use(): Connection {
    if (!isOpen) throw storeClosed();
    return connection;
  }

  function reopen(): void {
    const next = openConnection(library, path, false);
    connection.close();
    connection = next;
  }

  return {
    current: () => connection,
    readable() {
      const { readOnlyReason, isInPlace } = use();
      if (readOnlyReason !== null && !isInPlace()) reopen();
      return connection;
    },
    writable() {
      if (use().readOnlyReason !== null) reopen();
      if (connection.readOnlyReason !== null) throw connection.readOnlyReason;
      return connection;
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      truncateWal(connection.database);
      connection.close();
    },
  };
}

function inUse(path: string): AutokestraError {
  return storeUnavailable(path, "another process has it in use", "End what uses these secrets, then try again.");
}

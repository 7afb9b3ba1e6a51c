import { dirname, join } from "node:path";
import { createPrivateFile, makePrivateFolder, preparePrivateFolder } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import { quotePath } from "@autokestra/secrets-core/internal";
import {
  type Database,
  deadlineAfter,
  emptyDatabase,
  type FileDatabase,
  findDatabaseFiles,
  isSqliteMissing,
  loadSqlite,
  openFailureReason,
  openInPlace,
  openSnapshot,
  restrictDatabaseFiles,
  retryWhileBusy,
  type SqliteLibrary,
} from "@autokestra/sqlite";
import { ACCESS_FILE, checkSchema, createSchema } from "./access-schema.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** Tokens and audit log cannot be read or written. */
    ACCESS_UNAVAILABLE: { readonly reason?: "no SQLite" };
  }
}

/** How long a process waits for others that write, in milliseconds. */
const LOCK_TIMEOUT_MS = 5000;

/** With FULL, what was committed is on the disk. */
const PRAGMAS = ["trusted_schema = OFF", "cell_size_check = ON", "secure_delete = ON", "synchronous = FULL"];

/** The database of tokens and audit records, which lies beside the store. All methods throw AutokestraError `ACCESS_UNAVAILABLE`. */
export interface AccessDatabase {
  readonly path: string;
  /** Reads in one transaction. Where there is no file yet, from an empty database; makes none. */
  read<T>(work: (database: Database) => T): Promise<T>;
  /**
   * Writes in one transaction, with the lock of all processes from its beginning: on the disk once this resolves. Makes the file
   * if there is none yet. `work` may run more than once.
   */
  write<T>(work: (database: Database) => T): Promise<T>;
  /** May be called again. */
  close(): void;
}

/**
 * Opens the database of tokens and audit records of a folder of secrets. Nothing is made or opened before it is needed.
 *
 * @param folder absolute
 * @throws AutokestraError `ACCESS_UNAVAILABLE` where there is no SQLite
 */
export async function openAccessDatabase(folder: string): Promise<AccessDatabase> {
  const path = join(folder, ACCESS_FILE);
  const library = await loadLibrary(path);
  let opened: OpenDatabase | null = null;
  let isClosed = false;

  /** The database itself: what kept it from being opened may be gone by now. */
  function forWrite(): OpenDatabase {
    if (isClosed) throw unavailable(path, "it is closed");
    if (opened !== null && opened.readOnlyReason === null) return opened;
    opened?.database.close();
    opened = null;
    opened = openForWrite(library, path);
    return opened;
  }

  function forRead(): OpenDatabase {
    if (isClosed) throw unavailable(path, "it is closed");
    if (opened !== null && !opened.isInPlace()) {
      opened.database.close();
      opened = null;
    }
    opened ??= openForRead(library, path);
    return opened;
  }

  async function attempt<T>(work: () => T): Promise<T> {
    try {
      return await retryWhileBusy(work, { giveUpAt: deadlineAfter(LOCK_TIMEOUT_MS) });
    } catch (error) {
      if (error instanceof AutokestraError && error.code !== "STORE_UNAVAILABLE") throw error;
      throw unavailable(path, error instanceof AutokestraError ? error.message : openFailureReason(error, path));
    }
  }

  return {
    path,
    read: async (work) =>
      await attempt(() => {
        const { database } = forRead();
        return database.transaction(() => work(database));
      }),
    write: async (work) =>
      await attempt(() => {
        const { database, isInPlace } = forWrite();
        return database.immediate(() => {
          const result = work(database);
          // Before the commit: what is written into a file without a name is lost.
          if (!isInPlace()) throw unavailable(path, "it was moved or removed");
          return result;
        });
      }),
    close() {
      isClosed = true;
      opened?.database.close();
      opened = null;
    },
  };
}

async function loadLibrary(path: string): Promise<SqliteLibrary> {
  try {
    return await loadSqlite();
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    const details = isSqliteMissing(error) ? { reason: "no SQLite" } : {};
    throw new AutokestraError("ACCESS_UNAVAILABLE", `${subject(path)}: ${error.message}`, {
      hint: error.hint,
      details,
    });
  }
}

/** A database that is open. */
interface OpenDatabase extends FileDatabase {
  /** Why this is a copy in memory, for reading only; null where it is the database itself. */
  readonly readOnlyReason: string | null;
}

function openForWrite(library: SqliteLibrary, path: string): OpenDatabase {
  const refuse = refuseAt(path);
  prepareFolder(path);
  if (!databaseExists(path)) createPrivateFile(path, emptyDatabase(library, createSchema));
  restrictDatabaseFiles(path, refuse);
  const placed = openInPlace(library, path, PRAGMAS, refuse);
  try {
    checkSchema(placed.database, refuse);
    placed.database.pragma("journal_mode = WAL");
    return { ...placed, readOnlyReason: null };
  } catch (error) {
    placed.database.close();
    throw error;
  }
}

/** The folder is that of a store, or will be. */
function prepareFolder(path: string): void {
  if (makePrivateFolder(dirname(path))) createPrivateFile(join(dirname(path), ".gitignore"), "*\n");
  else preparePrivateFolder(path, refuseAt(path));
}

function openForRead(library: SqliteLibrary, path: string): OpenDatabase {
  if (!databaseExists(path)) {
    const database = library.openInMemory();
    createSchema(database);
    return { database, isInPlace: () => !databaseExists(path), readOnlyReason: "it is not there yet" };
  }
  try {
    return openForWrite(library, path);
  } catch (error) {
    const snapshot = openSnapshot(library, path, error, (database) => checkSchema(database, refuseAt(path)));
    if (snapshot === null) throw error;
    return { ...snapshot, readOnlyReason: snapshot.readOnlyReason.message };
  }
}

/** @throws AutokestraError for a link, or for a WAL without its database */
function databaseExists(path: string): boolean {
  const { database, wal } = findDatabaseFiles(path, (file, kind) => unavailable(path, `${quotePath(file)} is ${kind}`));
  // SQLite would apply it to the new database.
  if (database === undefined && wal !== undefined) throw unavailable(path, "it was removed, only its WAL is left");
  return database !== undefined;
}

function refuseAt(path: string): (problem: string, hint?: string) => AutokestraError {
  return (problem, hint) => unavailable(path, problem, hint);
}

function unavailable(path: string, reason: string, hint?: string): AutokestraError {
  return new AutokestraError("ACCESS_UNAVAILABLE", `${subject(path)}: ${reason}`, { hint });
}

function subject(path: string): string {
  return `The database of tokens and audit records ${quotePath(path)} cannot be used`;
}

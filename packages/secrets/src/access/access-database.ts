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

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** Tokens and audit log cannot be read or written. */
    ACCESS_UNAVAILABLE: { readonly reason?: "no SQLite" };
  }
}

/** `akac` in ASCII: marks a database as one of tokens and audit records. */
const APPLICATION_ID = 0x616b6163;
const SCHEMA_VERSION = 1;

/**
 * `audit`: one row for each record, which names the SHA-256 of the one before; docs/FORMAT.md describes it. `secret_fields` is a
 * JSON array. `tokens`: no row has a token, only its hash; `prefixes` and `tags` are JSON arrays, or NULL where it is not narrowed.
 */
const TABLES = `
  CREATE TABLE audit (
    seq            INTEGER PRIMARY KEY CHECK (seq > 0),
    time           TEXT NOT NULL,
    actor_kind     TEXT NOT NULL,
    actor_id       TEXT,
    actor_address  TEXT,
    action         TEXT NOT NULL,
    secret_name    TEXT,
    secret_id      TEXT,
    secret_version TEXT,
    secret_fields  TEXT,
    outcome        TEXT NOT NULL,
    source         TEXT,
    request_id     TEXT,
    execution      TEXT,
    prev           TEXT NOT NULL,
    mac            TEXT
  ) STRICT;

  CREATE TABLE tokens (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    role           TEXT NOT NULL,
    hash           BLOB NOT NULL UNIQUE,
    prefixes       TEXT,
    tags           TEXT,
    created_at     TEXT NOT NULL,
    expires_at     TEXT,
    last_used_on   TEXT,
    epoch          INTEGER NOT NULL,
    mac            TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

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
  const path = join(folder, "access.db");
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
  if (!pathExists(path)) createPrivateFile(path, emptyDatabase(library, createSchema));
  restrictDatabaseFiles(path, refuse);
  const placed = openInPlace(library, path, PRAGMAS, refuse);
  try {
    checkSchema(placed.database, path);
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
  if (!pathExists(path)) {
    const database = library.openInMemory();
    createSchema(database);
    return { database, isInPlace: () => !pathExists(path), readOnlyReason: "it is not there yet" };
  }
  try {
    return openForWrite(library, path);
  } catch (error) {
    const snapshot = openSnapshot(library, path, error, (database) => checkSchema(database, path));
    if (snapshot === null) throw error;
    return { ...snapshot, readOnlyReason: snapshot.readOnlyReason.message };
  }
}

/** @throws AutokestraError for a link, or for a WAL without its database */
function pathExists(path: string): boolean {
  const { database, wal } = findDatabaseFiles(path, (file, kind) => unavailable(path, `${quotePath(file)} is ${kind}`));
  // SQLite would apply it to the new database.
  if (database === undefined && wal !== undefined) throw unavailable(path, "it was removed, only its WAL is left");
  return database !== undefined;
}

function createSchema(database: Database): void {
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; ${TABLES}`);
}

/** @throws AutokestraError where it is another database, or one of a later version */
function checkSchema(database: Database, path: string): void {
  const version = Number(database.pragma("user_version"));
  if (database.pragma("application_id") !== APPLICATION_ID || version < 1) {
    throw unavailable(path, "it is a database of another program");
  }
  if (version > SCHEMA_VERSION) {
    throw unavailable(path, "a newer version of autokestra has written it", "Use that version. Nothing was changed.");
  }
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

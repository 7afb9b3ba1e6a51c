import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { type AutokestraError, storeUnavailable } from "@autokestra/secrets-core";
import { createPrivateFile, fileIdentity, preparePrivateFolder, sweepDrafts } from "@autokestra/secrets-files";
import type { Database } from "better-sqlite3";
import { checkDatabaseFile } from "./database-file.ts";
import { emptyDatabase } from "./empty-database.ts";
import { createSchema, migrate } from "./migrations.ts";
import { createSecretReader, type SecretReader } from "./read-secrets.ts";
import { openSnapshot } from "./snapshot.ts";
import type { SqliteLibrary } from "./sqlite-library.ts";
import { prepareStatements } from "./statements.ts";
import { createSecretWriter, type SecretWriter } from "./write-secrets.ts";

/** An open database and what may be asked of it. */
export interface Connection {
  readonly database: Database;
  readonly reader: SecretReader;
  /** Runs `work` with the lock of the database, in one transaction. */
  readonly write: <T>(work: (writer: SecretWriter) => T) => T;
  /** False once the file was moved or removed: SQLite itself would go on writing into a file without a name. */
  readonly isInPlace: () => boolean;
  /** Why this is a copy in memory, for reading only; null where it is the database itself. */
  readonly obstacle: AutokestraError | null;
}

/**
 * Opens the database at an absolute path, and makes it first where there is none.
 *
 * @param create false: there must be one
 * @throws AutokestraError, or an error of SQLite or the file system; nothing stays open then
 */
export function openConnection(library: SqliteLibrary, path: string, create: boolean): Connection {
  prepareFile(library, path, create);
  try {
    return openInPlace(library, path);
  } catch (error) {
    const snapshot = openSnapshot(library, path, error);
    if (snapshot === null) throw error;
    return connect(snapshot.database, path, snapshot.isInPlace, snapshot.obstacle);
  }
}

function prepareFile(library: SqliteLibrary, path: string, create: boolean): void {
  if (create || existsSync(dirname(path))) {
    preparePrivateFolder(path, (problem, hint) => storeUnavailable(path, problem, hint));
  }
  if (!checkDatabaseFile(path)) {
    if (!create) throw notInPlace(path);
    createPrivateFile(path, emptyDatabase(library, createSchema));
  }
  try {
    sweepDrafts(path);
  } catch {
    // In a folder that can only be read; they are in nobody's way.
  }
}

function openInPlace(library: SqliteLibrary, path: string): Connection {
  const identity = fileIdentity(path);
  const isInPlace = () => fileIdentity(path) === identity;
  // Timeout 0: waiting is the job of retryWhileBusy.
  const database = new library(path, { fileMustExist: true, timeout: 0 });
  try {
    configure(database);
    // The first look into the file. Who has looked keeps others from replacing it, so its name is certain from here on.
    database.pragma("schema_version");
    if (!isInPlace()) throw notInPlace(path);
    migrate(database, path);
    database.pragma("journal_mode = WAL");
    return connect(database, path, isInPlace, null);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What SQLite forgets with each connection. */
function configure(database: Database): void {
  database.pragma("trusted_schema = OFF");
  database.pragma("cell_size_check = ON");
  database.pragma("foreign_keys = ON");
  database.pragma("secure_delete = ON");
  // better-sqlite3 is built with NORMAL, which in WAL mode does not sync a commit.
  database.pragma("synchronous = FULL");
}

function connect(
  database: Database,
  path: string,
  isInPlace: () => boolean,
  obstacle: AutokestraError | null,
): Connection {
  const statements = prepareStatements(database);
  const reader = createSecretReader(database, statements, path);
  const writer = createSecretWriter(statements, reader, path);

  const transaction = database.transaction((work: (tools: SecretWriter) => unknown): unknown => {
    if (!isInPlace()) throw notInPlace(path);
    return work(writer);
  });

  function write<T>(work: (tools: SecretWriter) => T): T {
    // Immediate: a read in a deferred transaction cannot become a write where another process has written in between.
    return transaction.immediate(work) as T;
  }

  return { database, reader, write, isInPlace, obstacle };
}

/** The error for a store whose file is no longer under its name. */
export function notInPlace(path: string): AutokestraError {
  return storeUnavailable(path, "it was moved or removed");
}

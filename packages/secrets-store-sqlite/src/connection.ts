import { storeUnavailable } from "@autokestra/secrets-core";
import { createPrivateFile, fileIdentity, preparePrivateFolder, sweepDrafts } from "@autokestra/secrets-files";
import type { Database } from "better-sqlite3";
import { checkDatabaseFile } from "./database-file.ts";
import { createSchema, migrate } from "./migrations.ts";
import type { SqliteLibrary } from "./sqlite-library.ts";
import { prepareStatements, type Statements } from "./statements.ts";

/** An open database and what may be asked of it. */
export interface Connection {
  readonly database: Database;
  readonly statements: Statements;
  /** False once the file was moved or removed: SQLite itself would go on writing into a file without a name. */
  readonly isInPlace: () => boolean;
}

/**
 * Opens the database at an absolute path, and makes it first where there is none.
 *
 * @throws AutokestraError, or an error of SQLite or the file system; nothing stays open then
 */
export function openConnection(library: SqliteLibrary, path: string): Connection {
  preparePrivateFolder(path, (problem, hint) => storeUnavailable(path, problem, hint));
  if (!checkDatabaseFile(path)) createPrivateFile(path, emptyStore(library));
  sweepDrafts(path);
  // Timeout 0: waiting is the job of retryWhileBusy.
  const database = new library(path, { fileMustExist: true, timeout: 0 });
  try {
    configure(database);
    migrate(database, path);
    database.pragma("journal_mode = WAL");
    const identity = fileIdentity(path);
    return {
      database,
      statements: prepareStatements(database),
      isInPlace: () => fileIdentity(path) === identity,
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What SQLite forgets with each connection. */
function configure(database: Database): void {
  database.pragma("trusted_schema = OFF");
  database.pragma("foreign_keys = ON");
  database.pragma("secure_delete = ON");
  // better-sqlite3 is built with NORMAL, which in WAL mode does not sync a commit.
  database.pragma("synchronous = FULL");
}

/** The bytes of a store without secrets. */
function emptyStore(library: SqliteLibrary): Uint8Array {
  const database = new library(":memory:");
  try {
    createSchema(database);
    return database.serialize();
  } finally {
    database.close();
  }
}

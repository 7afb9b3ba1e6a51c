import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { createPrivateFile, fileIdentity, preparePrivateFolder, sweepDrafts } from "@autokestra/private-files";
import { type AutokestraError, type StoreLayout, storeUnavailable } from "@autokestra/secrets-core";
import type { Database, SqliteLibrary } from "@autokestra/sqlite";
import { checkDatabaseFile, emptyDatabase, openSnapshot } from "@autokestra/sqlite";
import { createSecretReader, type SecretReader } from "./reader.ts";
import { createSchema, readLayout } from "./schema.ts";
import { prepareStatements } from "./statements.ts";
import { createVersion1Reader, createVersion1Writer } from "./version-1.ts";
import { createSecretWriter, type SecretWriter } from "./writer.ts";

/** An open database and what may be asked of it. */
export interface Connection {
  readonly database: Database;
  /** How it is laid out at this moment. */
  readonly layout: () => StoreLayout;
  /** Reads what is there at this moment, whatever its layout. */
  readonly reader: () => SecretReader;
  /** Runs `work` with the lock of the database, in one transaction. */
  readonly write: <T>(work: (writer: SecretWriter) => T) => T;
  /** False once the file was moved or removed: SQLite itself would go on writing into a file without a name. */
  readonly isInPlace: () => boolean;
  /** Why this is a copy in memory, for reading only; null where it is the database itself. */
  readonly obstacle: AutokestraError | null;
  readonly close: () => void;
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
    const snapshot = openSnapshot(library, path, error, (database) => readLayout(database, path));
    if (snapshot === null) throw error;
    return connect(library, path, snapshot);
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
  const database = library.open(path, { mode: "rw" });
  try {
    configure(database);
    // The first look into the file. Who has looked keeps others from replacing it, so its name is certain from here on.
    database.pragma("schema_version");
    if (!isInPlace()) throw notInPlace(path);
    readLayout(database, path);
    database.pragma("journal_mode = WAL");
    return connect(library, path, { database, isInPlace, obstacle: null });
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
  // With NORMAL, which better-sqlite3 is built with, a commit in WAL mode is not synced.
  database.pragma("synchronous = FULL");
}

/** What may be asked of a database in layout 2. */
interface Layout2 {
  readonly reader: SecretReader;
  readonly writer: SecretWriter;
}

function connect(
  library: SqliteLibrary,
  path: string,
  { database, isInPlace, obstacle }: Pick<Connection, "database" | "isInPlace" | "obstacle">,
): Connection {
  const version1 = createVersion1Reader(library, database, path);
  let layout2: Layout2 | null = null;

  /** Null while the database is in layout 1. It never goes back there. */
  function useLayout2(): Layout2 | null {
    if (layout2 !== null || readLayout(database, path) === 1) return layout2;
    version1.close();
    const statements = prepareStatements(database);
    const secrets = createSecretReader(database, statements, path);
    layout2 = { reader: secrets, writer: createSecretWriter(statements, secrets, path) };
    return layout2;
  }

  function reader(): SecretReader {
    const current = useLayout2();
    if (current !== null) return current.reader;
    // Null where another process has upgraded it at this very moment.
    return version1.reader() ?? reader();
  }

  function write<T>(work: (writer: SecretWriter) => T): T {
    // Immediate: a read in a deferred transaction cannot become a write where another process has written in between.
    return database.immediate(() => {
      if (!isInPlace()) throw notInPlace(path);
      return work(useLayout2()?.writer ?? createVersion1Writer(database, path));
    });
  }

  function close(): void {
    version1.close();
    database.close();
  }

  // What is not laid out as it says is found out when it is opened.
  useLayout2();
  return { database, layout: () => (useLayout2() === null ? 1 : 2), reader, write, isInPlace, obstacle, close };
}

/** The error for a store whose file is no longer under its name. */
export function notInPlace(path: string): AutokestraError {
  return storeUnavailable(path, "it was moved or removed");
}

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { createPrivateFile, preparePrivateFolder, sweepTemporaryFiles } from "@autokestra/private-files";
import type { AutokestraError, StoreLayout } from "@autokestra/secrets-core";
import { quotePath, storeCorrupt, storeUnavailable } from "@autokestra/secrets-core/internal";
import {
  emptyDatabase,
  findDatabaseFiles,
  movedOrRemoved,
  openInPlace,
  openSnapshot,
  type PlacedDatabase,
  restrictDatabaseFiles,
  type SqliteLibrary,
} from "@autokestra/sqlite";
import { createSecretReader, type SecretReader } from "./reader.ts";
import { createSchema, readLayout } from "./schema.ts";
import { prepareStatements } from "./statements.ts";
import { createVersion1Reader, createVersion1Writer } from "./version-1.ts";
import { createSecretWriter, type SecretWriter } from "./writer.ts";

/** An open database and what may be asked of it. */
export interface Connection extends PlacedDatabase {
  /** How it is laid out at this moment. */
  readonly layout: () => StoreLayout;
  /** Reads what is there at this moment, whatever its layout. */
  readonly reader: () => SecretReader;
  /** Runs `work` with the lock of the database, in one transaction. */
  readonly write: <T>(work: (writer: SecretWriter) => T) => T;
  /** Why this is a copy in memory, for reading only; null where it is the database itself. */
  readonly readOnlyReason: AutokestraError | null;
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
    return openStore(library, path);
  } catch (error) {
    const snapshot = openSnapshot(library, path, error, (database) => readLayout(database, path));
    if (snapshot === null) throw error;
    return connect(library, path, snapshot);
  }
}

function prepareFile(library: SqliteLibrary, path: string, create: boolean): void {
  const refuse = refuseAt(path);
  if (create || existsSync(dirname(path))) preparePrivateFolder(path, refuse);
  const { database, wal } = findDatabaseFiles(path, (file, kind) =>
    refuse(`${quotePath(file)} is ${kind}`, "Give the path of the file itself."),
  );
  restrictDatabaseFiles(path, refuse);
  // SQLite would take an empty file for a new database, and no secret in it would be found.
  if (database?.size === 0) throw storeCorrupt(path, "it is empty");
  if (database === undefined) {
    if (wal !== undefined) throw storeCorrupt(path, "it was not found, only its WAL is left");
    if (!create) throw movedOrRemoved(refuse);
    createPrivateFile(path, emptyDatabase(library, createSchema));
  }
  try {
    sweepTemporaryFiles(path);
  } catch {
    // In a folder that can only be read; they are in nobody's way.
  }
}

/** With NORMAL, which better-sqlite3 is built with, a commit in WAL mode is not synced. */
const PRAGMAS = [
  "trusted_schema = OFF",
  "cell_size_check = ON",
  "foreign_keys = ON",
  "secure_delete = ON",
  "synchronous = FULL",
];

function openStore(library: SqliteLibrary, path: string): Connection {
  const { database, isInPlace } = openInPlace(library, path, PRAGMAS, refuseAt(path));
  try {
    readLayout(database, path);
    database.pragma("journal_mode = WAL");
    return connect(library, path, { database, isInPlace, readOnlyReason: null });
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What may be asked of a database in layout 2. */
interface Layout2 {
  readonly reader: SecretReader;
  readonly writer: SecretWriter;
}

function connect(
  library: SqliteLibrary,
  path: string,
  { database, isInPlace, readOnlyReason }: Pick<Connection, "database" | "isInPlace" | "readOnlyReason">,
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
      if (!isInPlace()) throw movedOrRemoved(refuseAt(path));
      return work(useLayout2()?.writer ?? createVersion1Writer(database, path));
    });
  }

  function close(): void {
    version1.close();
    database.close();
  }

  // What is not laid out as it says is found out when it is opened.
  useLayout2();
  return { database, layout: () => (useLayout2() === null ? 1 : 2), reader, write, isInPlace, readOnlyReason, close };
}

/** The errors of a store at a path. */
export function refuseAt(path: string): (problem: string, hint?: string) => AutokestraError {
  return (problem, hint) => storeUnavailable(path, problem, hint);
}

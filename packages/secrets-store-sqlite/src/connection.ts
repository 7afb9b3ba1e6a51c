import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { createPrivateFile, preparePrivateFolder, sweepTemporaryFiles } from "@autokestra/private-files";
import type { AutokestraError, StoreLayout } from "@autokestra/secrets-core";
import { quotePath, storeCorrupt, storeUnavailable } from "@autokestra/secrets-core/internal";
import {
  emptyDatabase,
  type FileDatabase,
  findDatabaseFiles,
  movedOrRemovedError,
  openInPlace,
  openSnapshot,
  restrictDatabaseFiles,
  type SqliteLibrary,
} from "@autokestra/sqlite";
import { createSecretReader, type SecretReader } from "./reader.ts";
import { completeSchema, createSchema, readLayout } from "./schema.ts";
import { prepareReads, prepareWrites, type ReadStatements } from "./statements.ts";
import { createVersion1Reader, createVersion1Writer } from "./version-1.ts";
import { createSecretWriter, type SecretWriter } from "./writer.ts";

/** An open database. */
export interface Connection extends FileDatabase {
  /** Returns the current layout. */
  readonly layout: () => StoreLayout;
  /** Returns a reader of the current content, in either layout. */
  readonly reader: () => SecretReader;
  /** Runs `work` in one transaction, with the lock of the database. */
  readonly write: <T>(work: (writer: SecretWriter) => T) => T;
  /** Why this is only a copy in memory for reading; null if it is the database itself. */
  readonly readOnlyReason: AutokestraError | null;
  readonly close: () => void;
}

/**
 * Opens a database.
 *
 * @param path an absolute path
 * @param create create the database if it does not exist
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
  // SQLite would take an empty file for a new database, and then no secret would be found.
  if (database?.size === 0) throw storeCorrupt(path, "it is empty");
  if (database === undefined) {
    if (wal !== undefined) throw storeCorrupt(path, "it was not found, only its WAL is left");
    if (!create) throw movedOrRemovedError(refuse);
    createPrivateFile(path, emptyDatabase(library, createSchema));
  }
  try {
    sweepTemporaryFiles(path);
  } catch {
    // The folder is read-only. Temporary files do no harm.
  }
}

/** `synchronous`, because better-sqlite3 defaults to NORMAL, which does not sync a commit in WAL mode. */
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

/** Reads and writes a database in layout 2. */
interface Layout2 {
  readonly statements: ReadStatements;
  readonly reader: SecretReader;
  /** Null until the first write: most commands never prepare its statements. */
  writer: SecretWriter | null;
}

function connect(
  library: SqliteLibrary,
  path: string,
  { database, isInPlace, readOnlyReason }: Pick<Connection, "database" | "isInPlace" | "readOnlyReason">,
): Connection {
  const version1 = createVersion1Reader(library, database, path);
  let layout2: Layout2 | null = null;
  let isComplete = false;

  /** Null while the database is in layout 1. It never goes back there. */
  function useLayout2(): Layout2 | null {
    if (layout2 !== null || readLayout(database, path) === 1) return layout2;
    version1.close();
    const statements = prepareReads(database);
    layout2 = { statements, reader: createSecretReader(database, statements, path), writer: null };
    return layout2;
  }

  function writerOf(layout: Layout2): SecretWriter {
    layout.writer ??= createSecretWriter({ ...layout.statements, ...prepareWrites(database) }, layout.reader, path);
    return layout.writer;
  }

  function reader(): SecretReader {
    const current = useLayout2();
    if (current !== null) return current.reader;
    // Null if another process has upgraded the database at this moment.
    return version1.reader() ?? reader();
  }

  function write<T>(work: (writer: SecretWriter) => T): T {
    // Immediate, because a deferred transaction that has read cannot write after another process has written.
    return database.immediate(() => {
      if (!isInPlace()) throw movedOrRemovedError(refuseAt(path));
      const current = useLayout2();
      if (current === null) return work(createVersion1Writer(database, path));
      if (!isComplete) completeSchema(database);
      const result = work(writerOf(current));
      isComplete = true;
      return result;
    });
  }

  function close(): void {
    version1.close();
    database.close();
  }

  // Prepares the statements, so that wrong tables are noticed when the store is opened.
  useLayout2();
  return { database, layout: () => (useLayout2() === null ? 1 : 2), reader, write, isInPlace, readOnlyReason, close };
}

/** The errors of a store at a path. */
export function refuseAt(path: string): (problem: string, hint?: string) => AutokestraError {
  return (problem, hint) => storeUnavailable(path, problem, hint);
}

/** A library that has SQLite, behind one interface: everything else in autokestra knows no other. */
export interface SqliteLibrary {
  readonly name: "better-sqlite3" | "node:sqlite";

  /**
   * Opens the database in a file.
   *
   * @throws an error of SQLite, whose `code` is the name of its result code, such as `SQLITE_CANTOPEN`
   */
  open(path: string, options: OpenOptions): Database;

  /** A database in memory: an empty one, or a copy of what a file holds. */
  openInMemory(bytes?: Uint8Array): Database;
}

export interface OpenOptions {
  /** To read only, to read and write, or to create the file, too, where there is none. */
  readonly mode: "ro" | "rw" | "rwc";
  /** How long SQLite itself waits for a lock, in milliseconds. It blocks the event loop. Default: 0. */
  readonly timeoutMs?: number | undefined;
}

/** An open database. What its methods throw has the name of SQLite's result code as its `code`. */
export interface Database {
  readonly library: SqliteLibrary["name"];

  /** Runs one SQL statement or several, without results. */
  exec(sql: string): void;

  prepare<Parameters extends unknown[] = unknown[], Row = unknown>(sql: string): Statement<Parameters, Row>;

  /**
   * Runs `PRAGMA text`.
   *
   * @returns the first column of the first row; undefined where there is none
   */
  pragma(text: string): unknown;

  /** Runs `work` in a transaction, or in a savepoint where there is one already: what it throws undoes it. */
  transaction<T>(work: () => T): T;

  /** The same with the write lock from the beginning. */
  immediate<T>(work: () => T): T;

  /** The bytes of the file, with what is in the WAL. */
  serialize(): Uint8Array;

  /** Closes it. May be called again. */
  close(): void;
}

/**
 * A prepared statement. Its parameters are values in their order, one array of them, or one object of named ones. All must be given:
 * not every library says so where one is missing. `undefined` is NULL, and names that the statement does not have are ignored. An
 * INTEGER beyond 2^53 comes as the nearest number.
 */
export interface Statement<Parameters extends unknown[] = unknown[], Row = unknown> {
  /** Rows are their first column from now on. */
  pluck(): this;
  /** Rows are arrays from now on, instead of objects. */
  raw(): this;
  get(...parameters: Parameters): Row | undefined;
  all(...parameters: Parameters): Row[];
  iterate(...parameters: Parameters): Iterable<Row>;
  run(...parameters: Parameters): { readonly changes: number };
}

/** A database in memory with what a file holds. The bytes are changed. */
export function inMemory(library: SqliteLibrary, bytes: Uint8Array): Database {
  // The header of a file says WAL (2), which no database in memory can have: https://sqlite.org/fileformat.html#file_format_version_numbers
  bytes.fill(1, 18, 20);
  return library.openInMemory(bytes);
}

/** The bytes of a database with this schema and no rows: a file that is made from them is never seen half made. */
export function emptyDatabase(library: SqliteLibrary, createSchema: (database: Database) => void): Uint8Array {
  const database = library.openInMemory();
  try {
    createSchema(database);
    return database.serialize();
  } finally {
    database.close();
  }
}

/** What `doctor` tells of a database. */
export interface SqliteFacts {
  readonly library: SqliteLibrary["name"];
  /** Of SQLite, such as `3.53.2`. */
  readonly version: string;
  /** `wal`; `memory` where the file can only be read. */
  readonly journalMode: string;
  /** 2 is FULL. See https://sqlite.org/pragma.html#pragma_synchronous */
  readonly synchronous: number;
  readonly secureDelete: boolean;
  /** False where a look at every page, row and index finds damage. Takes as long as reading the whole file. */
  readonly isSound: boolean;
}

export function readSqliteFacts(database: Database): SqliteFacts {
  return {
    library: database.library,
    version: sqliteVersion(database),
    journalMode: String(database.pragma("journal_mode")),
    synchronous: Number(database.pragma("synchronous")),
    secureDelete: database.pragma("secure_delete") === 1,
    isSound: database.pragma("integrity_check(1)") === "ok",
  };
}

export function sqliteVersion(database: Database): string {
  return String(database.prepare("SELECT sqlite_version()").pluck().get());
}

/** Older ones can damage a database in WAL mode: https://sqlite.org/wal.html#walresetbug */
export const OLDEST_SAFE_VERSION = "3.51.3";

export function isSafeVersion(version: string): boolean {
  return version.localeCompare(OLDEST_SAFE_VERSION, "en", { numeric: true }) >= 0;
}

/** A SQLite library behind one interface. `loadSqlite` returns it. */
export interface SqliteLibrary {
  readonly name: "better-sqlite3" | "node:sqlite";

  /**
   * Opens the database in a file.
   *
   * @throws an error of SQLite, whose `code` is the name of its result code, such as `SQLITE_CANTOPEN`
   */
  open(path: string, options: OpenOptions): Database;

  /** Opens a database in memory, with the content of a file. Default: an empty one. */
  openInMemory(bytes?: Uint8Array): Database;
}

export interface OpenOptions {
  /** `ro`: read; `rw`: read and write; `rwc`: also create the file if it does not exist. */
  readonly mode: "ro" | "rw" | "rwc";
  /** How long SQLite itself waits for a lock, in milliseconds, which blocks the event loop. Default: 0. */
  readonly timeoutMs?: number | undefined;
}

/** An open database. The errors of its methods have the name of the result code of SQLite as `code`. */
export interface Database {
  readonly library: SqliteLibrary["name"];

  /** Runs one or more SQL statements without results. */
  exec(sql: string): void;

  prepare<Parameters extends unknown[] = unknown[], Row = unknown>(sql: string): Statement<Parameters, Row>;

  /**
   * Runs `PRAGMA text`.
   *
   * @returns the first column of the first row; undefined if there is no row
   */
  pragma(text: string): unknown;

  /** Runs `work` in a transaction, or in a savepoint of the current one. An error rolls it back. */
  transaction<T>(work: () => T): T;

  /** Runs `work` in a transaction that takes the write lock at the beginning. */
  immediate<T>(work: () => T): T;

  /** Returns the bytes of the database, including the content of the WAL. */
  serialize(): Uint8Array;

  /** Closes the database. Safe to call twice. */
  close(): void;
}

/**
 * A prepared statement. Its parameters are values in order, one array, or one object with names. Give all of them,
 * because not every library reports a missing one. `undefined` is NULL, and unknown names are ignored. An INTEGER
 * beyond 2^53 becomes the nearest number.
 */
export interface Statement<Parameters extends unknown[] = unknown[], Row = unknown> {
  /** Returns only the first column of rows from now on. */
  pluck(): this;
  /** Returns rows as arrays instead of objects from now on. */
  raw(): this;
  get(...parameters: Parameters): Row | undefined;
  all(...parameters: Parameters): Row[];
  iterate(...parameters: Parameters): Iterable<Row>;
  run(...parameters: Parameters): { readonly changes: number };
}

/** Opens a database in memory with the content of a file. Changes the bytes. */
export function openCopyInMemory(library: SqliteLibrary, bytes: Uint8Array): Database {
  // The header of the file says WAL (2), which a database in memory cannot have. See
  // https://sqlite.org/fileformat.html#file_format_version_numbers
  bytes.fill(1, 18, 20);
  return library.openInMemory(bytes);
}

/** Returns the bytes of a database with a schema and no rows, so that its file can be created in one step. */
export function emptyDatabase(library: SqliteLibrary, createSchema: (database: Database) => void): Uint8Array {
  const database = library.openInMemory();
  try {
    createSchema(database);
    return database.serialize();
  } finally {
    database.close();
  }
}

/** What a diagnosis reports about a database. */
export interface SqliteFacts {
  readonly library: SqliteLibrary["name"];
  /** The version of SQLite, such as `3.53.2`. */
  readonly version: string;
  /** `wal`, or `memory` if the file can only be read. */
  readonly journalMode: string;
  /** 2 is FULL. See https://sqlite.org/pragma.html#pragma_synchronous */
  readonly synchronous: number;
  readonly secureDelete: boolean;
  /** False if any page, row or index is damaged. Finding out takes as long as reading the whole file. */
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

/** Older versions can damage a database in WAL mode: https://sqlite.org/wal.html#walresetbug */
export const OLDEST_SAFE_VERSION = "3.51.3";

export function isSafeVersion(version: string): boolean {
  // Not with `localeCompare`, for which V8 reads the tables of all languages: that takes 25 ms of every start.
  const parts = version.split(".").map(Number);
  const oldest = OLDEST_SAFE_VERSION.split(".").map(Number);
  const difference = oldest.map((part, at) => (parts[at] ?? 0) - part).find((part) => part !== 0);
  return (difference ?? 0) >= 0;
}

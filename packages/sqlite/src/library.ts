import { AutokestraError, errorCode } from "@autokestra/secrets-core";
import type BetterSqlite from "better-sqlite3";
import { toStoreError } from "./errors.ts";

/** The constructor of better-sqlite3. */
export type SqliteLibrary = typeof BetterSqlite;

export type { Statement } from "better-sqlite3";

/** An open database. */
export type Database = InstanceType<SqliteLibrary>;

/** Codes of Node that say that the library is not there, whatever state the store is in. */
const MISSING: Readonly<Record<string, string>> = {
  ERR_DLOPEN_FAILED: "the native part of better-sqlite3 does not run here",
  ERR_MODULE_NOT_FOUND: "better-sqlite3 is not installed",
  MODULE_NOT_FOUND: "better-sqlite3 is not installed",
};

class SqliteMissingError extends AutokestraError {}

/**
 * True where {@link openSqliteStore} failed because better-sqlite3 is not installed or does not run here, and so nothing is
 * known about the store itself. No file was read or made then.
 */
export function isSqliteMissing(error: unknown): boolean {
  return error instanceof SqliteMissingError;
}

/**
 * Loads better-sqlite3 with its native part. Not a static import: this package must load where SQLite does not.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`, and {@link isSqliteMissing} tells which
 */
export async function loadSqlite(): Promise<SqliteLibrary> {
  try {
    const { default: library } = await import("better-sqlite3");
    // Only a connection loads the native part.
    new library(":memory:").close();
    return library;
  } catch (error) {
    const reason = missingReason(error);
    if (reason !== null) {
      throw new SqliteMissingError("STORE_UNAVAILABLE", `SQLite cannot be used: ${reason}`, {
        hint: "Install better-sqlite3 for this version of Node.js and let its install script run, or use the file store.",
      });
    }
    throw new AutokestraError("STORE_UNAVAILABLE", "better-sqlite3 failed to load", {
      hint: "Is there enough memory, and are there enough file descriptors?",
    });
  }
}

function missingReason(error: unknown): string | null {
  const code = errorCode(error);
  const reason = MISSING[code];
  if (reason !== undefined) return `${reason} (${code})`;
  // `bindings`, which looks for the native part, has no code for "not found": it lists where it has looked.
  const hasLooked = error instanceof Error && "tries" in error;
  return hasLooked ? "the native part of better-sqlite3 was never built or downloaded" : null;
}

/** A database in memory with what a file holds. */
export function inMemory(library: SqliteLibrary, bytes: Buffer): Database {
  // The header of a file says WAL (2), which no database in memory can have: https://sqlite.org/fileformat.html#file_format_version_numbers
  bytes.fill(1, 18, 20);
  return new library(bytes);
}

/** What `doctor` tells of a database. */
export interface SqliteFacts {
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
    version: String(database.prepare("SELECT sqlite_version()").pluck().get()),
    journalMode: String(database.pragma("journal_mode", { simple: true })),
    synchronous: Number(database.pragma("synchronous", { simple: true })),
    secureDelete: database.pragma("secure_delete", { simple: true }) === 1,
    isSound: database.pragma("integrity_check(1)", { simple: true }) === "ok",
  };
}

/** The bytes of a database with this schema and no rows: a file that is made from them is never seen half made. */
export function emptyDatabase(library: SqliteLibrary, createSchema: (database: Database) => void): Uint8Array {
  const database = new library(":memory:");
  try {
    createSchema(database);
    return database.serialize();
  } finally {
    database.close();
  }
}

/** What SQLite says of a file system that has no locks or no shared memory, as some of networks and containers. */
const UNSUITABLE: readonly string[] = [
  "SQLITE_BUSY",
  "SQLITE_IOERR_CHECKRESERVEDLOCK",
  "SQLITE_IOERR_LOCK",
  "SQLITE_IOERR_RDLOCK",
  "SQLITE_IOERR_SHMLOCK",
  "SQLITE_IOERR_SHMMAP",
  "SQLITE_IOERR_SHMOPEN",
  "SQLITE_IOERR_UNLOCK",
  "SQLITE_NOLFS",
  "SQLITE_PROTOCOL",
];

/**
 * Tries whether SQLite can make and lock a database on a file system, before a store is made there.
 *
 * @param path of a file that is not there, in a folder that nobody else uses
 * @returns why it cannot; null where it can
 * @throws AutokestraError `STORE_UNAVAILABLE` where SQLite is missing (`isSqliteMissing` tells), or where what is wrong has
 * nothing to do with databases: a full disk, no permission
 */
export async function whyNoDatabase(path: string): Promise<string | null> {
  const library = await loadSqlite();
  try {
    const database = new library(path, { timeout: 0 });
    try {
      const mode = database.pragma("journal_mode = WAL", { simple: true });
      database.exec("CREATE TABLE probe (text TEXT)");
      return mode === "wal" ? null : "it has no shared memory";
    } finally {
      database.close();
    }
  } catch (error) {
    if (UNSUITABLE.includes(errorCode(error))) return `it has no locks that work (${errorCode(error)})`;
    throw toStoreError(error, path);
  }
}

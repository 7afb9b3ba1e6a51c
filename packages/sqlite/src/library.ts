import { AutokestraError, errorCode } from "@autokestra/secrets-core";
import type BetterSqlite from "better-sqlite3";

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

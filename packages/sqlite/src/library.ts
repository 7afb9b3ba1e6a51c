import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode } from "@autokestra/secrets-core/internal";
import { loadBetterSqlite } from "./better-sqlite3.ts";
import type { SqliteLibrary } from "./database.ts";
import { toStoreError } from "./errors.ts";
import { loadNodeSqlite } from "./node-sqlite.ts";

/** Codes of Node that say that the library is not there, whatever state the store is in. */
const MISSING: Readonly<Record<string, string>> = {
  ERR_DLOPEN_FAILED: "the native part of better-sqlite3 does not run here",
  ERR_MODULE_NOT_FOUND: "better-sqlite3 is not installed",
  MODULE_NOT_FOUND: "better-sqlite3 is not installed",
};

class SqliteMissingError extends AutokestraError {}

/**
 * True where a database was not opened because there is no SQLite here: better-sqlite3 is not installed or does not run, and
 * Node.js has none built in that is new enough. So nothing is known about the database itself: no file was read or made then.
 */
export function isSqliteMissing(error: unknown): boolean {
  return error instanceof SqliteMissingError;
}

/** One for the whole process: two that have the same file open lose each other's locks. */
let chosen: SqliteLibrary | null = null;
let isBuiltInOnly = false;

/** For tests: passes over better-sqlite3. To be called before anything loads SQLite. */
export function useBuiltInOnly(): void {
  if (chosen !== null) throw new Error(`${chosen.name} is already in use`);
  isBuiltInOnly = true;
}

/**
 * Loads SQLite: better-sqlite3, or where that is not installed or does not run the `node:sqlite` of Node.js 24.16 and later. The
 * choice stands for as long as the process lives.
 *
 * Not a static import: this package must load where SQLite does not.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`, and {@link isSqliteMissing} tells whether there is none
 */
export async function loadSqlite(): Promise<SqliteLibrary> {
  if (chosen !== null) return chosen;
  const library = isBuiltInOnly ? builtIn("better-sqlite3 is passed over") : await betterOrBuiltIn();
  // Another call can have been faster.
  chosen ??= library;
  return chosen;
}

async function betterOrBuiltIn(): Promise<SqliteLibrary> {
  try {
    return await loadBetterSqlite();
  } catch (error) {
    const reason = missingReason(error);
    if (reason !== null) return builtIn(reason);
    throw new AutokestraError("STORE_UNAVAILABLE", "better-sqlite3 failed to load", {
      hint: "Is there enough memory, and are there enough file descriptors?",
    });
  }
}

/** @param reason why it is not better-sqlite3 */
function builtIn(reason: string): SqliteLibrary {
  const library = loadNodeSqlite();
  if (library !== null) return library;
  throw new SqliteMissingError("STORE_UNAVAILABLE", `SQLite cannot be used: ${reason}`, {
    hint: "Install better-sqlite3 for this version of Node.js and let its install script run, or use Node.js 24.16 or later, which has SQLite built in.",
  });
}

function missingReason(error: unknown): string | null {
  const code = errorCode(error);
  const reason = MISSING[code];
  if (reason !== undefined) return `${reason} (${code})`;
  // `bindings`, which looks for the native part, has no code for "not found": it lists where it has looked.
  const hasLooked = error instanceof Error && "tries" in error;
  return hasLooked ? "the native part of better-sqlite3 was never built or downloaded" : null;
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
export async function unsuitableReason(path: string): Promise<string | null> {
  const library = await loadSqlite();
  try {
    const database = library.open(path, { mode: "rwc" });
    try {
      const mode = database.pragma("journal_mode = WAL");
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

import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode } from "@autokestra/secrets-core/internal";
import { loadBetterSqlite } from "./better-sqlite3.ts";
import type { SqliteLibrary } from "./database.ts";
import { toStoreError } from "./errors.ts";
import { loadNodeSqlite } from "./node-sqlite.ts";

/** The codes of Node that mean that the library cannot be loaded. */
const MISSING: Readonly<Record<string, string>> = {
  ERR_DLOPEN_FAILED: "the native part of better-sqlite3 does not run here",
  ERR_MODULE_NOT_FOUND: "better-sqlite3 is not installed",
  MODULE_NOT_FOUND: "better-sqlite3 is not installed",
};

class SqliteMissingError extends AutokestraError {}

/**
 * Tells whether a database was not opened because SQLite cannot be loaded: better-sqlite3 is not installed or does not
 * run, and Node.js has no SQLite that is new enough. Then no file was read or created.
 */
export function isSqliteMissing(error: unknown): boolean {
  return error instanceof SqliteMissingError;
}

/** The library of the whole process: two libraries with the same file open lose each other's locks. */
let chosen: SqliteLibrary | null = null;
let isBuiltInOnly = false;

/** For tests: skips better-sqlite3. Call it before anything loads SQLite. */
export function useBuiltInOnly(): void {
  if (chosen !== null) throw new Error(`${chosen.name} is already in use`);
  isBuiltInOnly = true;
}

/**
 * Loads SQLite: better-sqlite3 if it is installed and runs, else the `node:sqlite` of Node.js 24.16 and later. All
 * calls in a process return the same library. Importing this package loads neither of them.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`; {@link isSqliteMissing} tells whether there is no library
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { deadlineAfter, loadSqlite, retryWhileBusy } from "@autokestra/sqlite";
 *
 * const library = await loadSqlite();
 * const database = library.open(join(mkdtempSync(join(tmpdir(), "demo-")), "notes.db"), { mode: "rwc" });
 * await retryWhileBusy(() => database.exec("CREATE TABLE notes (text TEXT)"), { giveUpAt: deadlineAfter(5000) });
 * database.prepare("INSERT INTO notes (text) VALUES (@text)").run({ text: "rotate the keys" });
 * console.log(database.prepare("SELECT text FROM notes").pluck().all()); // prints [ 'rotate the keys' ]
 * database.close();
 * ```
 */
export async function loadSqlite(): Promise<SqliteLibrary> {
  if (chosen !== null) return chosen;
  const library = isBuiltInOnly ? builtIn("better-sqlite3 is passed over") : await betterOrBuiltIn();
  // A concurrent call can have been faster.
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

/** @param reason why better-sqlite3 is not used */
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
  // The error of `bindings`, which searches the native part, has no code. It lists the paths that were tried.
  const hasLooked = error instanceof Error && "tries" in error;
  return hasLooked ? "the native part of better-sqlite3 was never built or downloaded" : null;
}

/** The result codes for a file system without locks or shared memory, as on some networks and in some containers. */
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
 * Tries whether SQLite can create and lock a database on a file system, before a store is made there.
 *
 * @param path the path of a new file in a temporary folder
 * @returns why it cannot; null if it can
 * @throws AutokestraError `STORE_UNAVAILABLE` if SQLite cannot be loaded ({@link isSqliteMissing}), or for a problem
 * that is not about databases, such as a full disk or a missing permission
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
    if (UNSUITABLE.includes(errorCode(error))) return `its file locks do not work (${errorCode(error)})`;
    throw toStoreError(error, path);
  }
}

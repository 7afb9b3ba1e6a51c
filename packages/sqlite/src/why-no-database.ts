import { errorCode } from "@autokestra/secrets-core";
import { toStoreError } from "./errors.ts";
import { loadSqlite } from "./library.ts";

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

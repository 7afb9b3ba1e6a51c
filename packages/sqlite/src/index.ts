/**
 * A private SQLite database: which library opens it, what to do while it is locked, how to read, copy and diagnose it.
 *
 * @module
 */

export {
  type Database,
  emptyDatabase,
  inMemory,
  isSafeVersion,
  OLDEST_SAFE_VERSION,
  type OpenOptions,
  readSqliteFacts,
  type SqliteFacts,
  type SqliteLibrary,
  type Statement,
} from "./database.ts";
export { READ_ONLY, sqliteReason, toStoreError, whyNotOpened } from "./errors.ts";
export { backupDatabase, checkDatabaseFile } from "./files.ts";
export { isSqliteMissing, loadSqlite, whyNoDatabase } from "./library.ts";
export { isBusy, pause, retryWhileBusy } from "./retry.ts";
export { openSnapshot, type Snapshot } from "./snapshot.ts";

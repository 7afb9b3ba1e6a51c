/**
 * Opens, waits for, copies and diagnoses a SQLite database that only its owner can read, with better-sqlite3 or
 * node:sqlite.
 *
 * @module
 */

export { backupDatabase } from "./back-up.ts";
export {
  type Database,
  emptyDatabase,
  isSafeVersion,
  OLDEST_SAFE_VERSION,
  type OpenOptions,
  openCopyInMemory,
  readSqliteFacts,
  type SqliteFacts,
  type SqliteLibrary,
  type Statement,
} from "./database.ts";
export { openFailureReason, sqliteReason, toStoreError } from "./errors.ts";
export { isSqliteMissing, loadSqlite, unsuitableReason } from "./library.ts";
export {
  type DatabaseFiles,
  type FileDatabase,
  findDatabaseFiles,
  lockExclusively,
  movedOrRemovedError,
  openInPlace,
  restrictDatabaseFiles,
  truncateWal,
} from "./open.ts";
export { findPlanted, type Planted } from "./planted.ts";
export { deadlineAfter, isBusy, pause, type RetryOptions, retryWhileBusy } from "./retry.ts";
export { openSnapshot, type Snapshot } from "./snapshot.ts";

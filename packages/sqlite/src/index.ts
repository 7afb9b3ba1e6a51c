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
  inMemory,
  isSafeVersion,
  OLDEST_SAFE_VERSION,
  type OpenOptions,
  readSqliteFacts,
  type SqliteFacts,
  type SqliteLibrary,
  type Statement,
} from "./database.ts";
export { openFailureReason, sqliteReason, toStoreError } from "./errors.ts";
export { isSqliteMissing, loadSqlite, unsuitableReason } from "./library.ts";
export {
  type DatabaseFiles,
  findDatabaseFiles,
  lockWhole,
  movedOrRemoved,
  openInPlace,
  type PlacedDatabase,
  restrictDatabaseFiles,
  truncateWal,
} from "./open.ts";
export { findPlanted, type Planted } from "./planted.ts";
export { after, isBusy, pause, type RetryOptions, retryWhileBusy } from "./retry.ts";
export { openSnapshot, type Snapshot } from "./snapshot.ts";

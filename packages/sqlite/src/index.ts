/**
 * A private SQLite database: which library opens it, what to do while it is locked, how to read, copy and diagnose it.
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
export { openFailureReason, READ_ONLY, sqliteReason, toStoreError } from "./errors.ts";
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
export { after, isBusy, pause, type RetryOptions, retryWhileBusy } from "./retry.ts";
export { openSnapshot, type Snapshot } from "./snapshot.ts";

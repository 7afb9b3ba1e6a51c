/**
 * A private SQLite database: which library opens it, what to do while it is locked, how to read, copy and diagnose it.
 *
 * @module
 */
export { backupDatabase } from "./backup.ts";
export { checkDatabaseFile } from "./database-file.ts";
export { emptyDatabase } from "./empty-database.ts";
export { READ_ONLY, sqliteReason, toStoreError } from "./errors.ts";
export { readSqliteFacts, type SqliteFacts } from "./facts.ts";
export { type Database, inMemory, isSqliteMissing, loadSqlite, type SqliteLibrary, type Statement } from "./library.ts";
export { isBusy, pause, retryWhileBusy } from "./retry.ts";
export { openSnapshot, type Snapshot } from "./snapshot.ts";
export { whyNoDatabase } from "./why-no-database.ts";
export { whyNotOpened } from "./why-not-opened.ts";

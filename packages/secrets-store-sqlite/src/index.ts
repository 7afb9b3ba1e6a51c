/**
 * Sealed secrets in one SQLite database.
 *
 * @module
 */
export { isSqliteMissing } from "./sqlite-library.ts";
export { openSqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";

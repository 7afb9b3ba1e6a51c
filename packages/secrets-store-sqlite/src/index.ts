/**
 * Keeps encrypted secrets in one SQLite database.
 *
 * @module
 */
export { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from "./store.ts";

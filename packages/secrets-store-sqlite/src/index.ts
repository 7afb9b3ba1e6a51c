/**
 * Sealed secrets in one SQLite database.
 *
 * @module
 */
export { emptyDatabase } from "./empty-database.ts";
export type { SqliteFacts } from "./sqlite-facts.ts";
export { isSqliteMissing, loadSqlite, type SqliteLibrary } from "./sqlite-library.ts";
export { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
export { whyNoDatabase } from "./why-no-database.ts";
export { whyNotOpened } from "./why-not-opened.ts";

import { isSqliteMissing, loadSqlite, readSqliteFacts } from "@autokestra/sqlite";

/** Prints which SQLite is loaded, or why there is none. */
try {
  const database = (await loadSqlite()).openInMemory();
  console.log(readSqliteFacts(database).library);
  database.close();
} catch (error) {
  console.log(isSqliteMissing(error), error instanceof Error ? error.message : error);
}

import type { Database, SqliteLibrary } from "./library.ts";

/** The bytes of a database with this schema and no rows: a file that is made from them is never seen half made. */
export function emptyDatabase(library: SqliteLibrary, createSchema: (database: Database) => void): Uint8Array {
  const database = new library(":memory:");
  try {
    createSchema(database);
    return database.serialize();
  } finally {
    database.close();
  }
}

import { lstatSync } from "node:fs";
import type { Database, SqliteLibrary } from "./database.ts";

/** What runs, or stands in for a table, without anybody's asking for it. No database of ours has any. */
const PLANTED = "FROM sqlite_schema WHERE type IN ('trigger', 'view')";

/** Something that others have put into a database of ours. */
export interface Planted {
  readonly type: "trigger" | "view";
  readonly name: string;
}

/** Returns a function that tells whether a database has a trigger or a view now. */
export function plantedCheck(database: Database): () => boolean {
  const count = database.prepare<[], number>(`SELECT count(*) ${PLANTED}`).pluck();
  return () => count.get() !== 0;
}

/**
 * Finds the triggers and views of the database in a file, for a diagnosis. Changes nothing.
 *
 * @returns empty also where there is no file
 * @throws an error of SQLite if the file cannot be read
 */
export function findPlanted(library: SqliteLibrary, path: string): Planted[] {
  // SQLite would follow a link, and wait for ever at a pipe.
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return [];
  const database = library.open(path, { mode: "ro" });
  try {
    return database.prepare<[], Planted>(`SELECT type, name ${PLANTED} ORDER BY name`).all();
  } finally {
    database.close();
  }
}

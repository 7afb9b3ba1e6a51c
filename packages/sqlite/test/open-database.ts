import { type Database, loadSqlite, type OpenOptions, type SqliteLibrary } from "@autokestra/sqlite";
import { adaptBetterSqlite } from "../src/better-sqlite3.ts";
import { adaptNodeSqlite, importNodeSqlite } from "../src/node-sqlite.ts";

/** The one library of this process: a second one would lose the locks of the first. */
export const library: SqliteLibrary = await loadSqlite();

/** Opens a database beside a store or a history, and creates it where there is none. */
export function openDatabase(path: string, options: Partial<OpenOptions> = {}): Database {
  return library.open(path, { mode: "rwc", timeoutMs: 5000, ...options });
}

/** Opens one in which SQL may damage what it likes. */
export async function openUnsafe(path: string): Promise<Database> {
  const { DatabaseSync } = (library.name === "node:sqlite" ? importNodeSqlite() : null) ?? {};
  if (DatabaseSync !== undefined) return adaptNodeSqlite(new DatabaseSync(path, { defensive: false }));
  const { default: BetterSqlite } = await import("better-sqlite3");
  return adaptBetterSqlite(new BetterSqlite(path).unsafeMode());
}

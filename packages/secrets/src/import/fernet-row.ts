import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { AutokestraError, errorCode, quotePath } from "@autokestra/secrets-core";
import type { SqliteLibrary } from "@autokestra/sqlite";
import { fileUnreadable } from "./read-text-file.ts";

const MAX_BYTES = 16 * 1024 * 1024;

/** One row of the table `secrets`, each column as SQLite casts it to text. */
export type FernetRow = Readonly<
  Record<"rowName" | "name" | "description" | "token" | "createdAt" | "updatedAt", string | null>
>;

const SELECT_ROWS = `
  SELECT 'row ' || id AS rowName, CAST(name AS TEXT) AS name, CAST(description AS TEXT) AS description,
    CAST(encrypted_value AS TEXT) AS token, CAST(created_at AS TEXT) AS createdAt, CAST(updated_at AS TEXT) AS updatedAt
  FROM main.secrets ORDER BY id`;

/** The columns that are stored: those of a view or a generated one could be of any size, or have no end. */
const SELECT_COLUMNS = `
  SELECT columns.name FROM pragma_table_list('secrets') AS tables, pragma_table_xinfo(tables.name) AS columns
  WHERE tables.schema = 'main' AND tables.type = 'table' AND columns.hidden = 0`;

const COLUMNS = ["id", "name", "description", "encrypted_value", "created_at", "updated_at"];

/**
 * Reads all rows of a SQLite file with a table `secrets(id, name, description, encrypted_value, created_at, updated_at)`. Nothing
 * is written to it, and the program that it belongs to may be running; SQLite leaves an empty `-wal` and a `-shm` beside a file in
 * WAL mode.
 *
 * @throws AutokestraError `USAGE` (no such file), `VALUE_INVALID` (another layout, damaged, over 16 MiB), `SOURCE_FAILED` with
 * SQLite's code, `STORE_UNAVAILABLE` where better-sqlite3 does not load
 */
export async function readFernetRows(path: string): Promise<FernetRow[]> {
  await checkIsFile(path);
  const { loadSqlite } = await import("@autokestra/sqlite");
  const sqlite = await loadSqlite();
  try {
    // Resolved, because SQLite gives names such as :memory: a meaning of their own.
    const database = new sqlite(resolve(path), { readonly: true, fileMustExist: true });
    try {
      checkDatabase(database, path);
      return database.prepare<[], FernetRow>(SELECT_ROWS).all();
    } finally {
      database.close();
    }
  } catch (error) {
    if (error instanceof AutokestraError) throw error;
    const code = errorCode(error) || "unknown error";
    throw new AutokestraError("SOURCE_FAILED", `SQLite cannot read ${quotePath(path)} (${code})`, {
      hint: "Stop the program that it belongs to, and copy the file into a folder of your own.",
    });
  }
}

async function checkIsFile(path: string): Promise<void> {
  const info = await stat(path).catch((error: unknown) => {
    throw fileUnreadable(path, error);
  });
  if (!info.isFile()) throw new AutokestraError("USAGE", `${quotePath(path)} is not a file`);
}

function checkDatabase(database: InstanceType<SqliteLibrary>, path: string): void {
  const size =
    Number(database.pragma("page_count", { simple: true })) * Number(database.pragma("page_size", { simple: true }));
  if (size > MAX_BYTES) throw unfit(path, "is larger than 16 MiB");
  const columns = database.prepare<[], string>(SELECT_COLUMNS).pluck().all();
  const missing = COLUMNS.filter((column) => !columns.includes(column));
  if (columns.length === 0) throw unfit(path, "has no table `secrets`");
  if (missing.length > 0) throw unfit(path, `has a table \`secrets\` without ${missing.join(", ")}`);
  // A damaged tree can leave out rows without a word.
  if (database.pragma("quick_check('secrets')", { simple: true }) !== "ok") throw unfit(path, "is damaged");
}

function unfit(path: string, what: string): AutokestraError {
  return new AutokestraError(
    "VALUE_INVALID",
    `The database ${quotePath(path)} ${what}: nothing can be imported from it`,
  );
}

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { AutokestraError, type Timestamp } from "@autokestra/secrets-core";
import { descriptionProblem, errorCode, parseTimestamp, quotePath } from "@autokestra/secrets-core/internal";
import { createFernet, type Fernet } from "@autokestra/secrets-crypto/fernet";
import type { Database } from "@autokestra/sqlite";
import { type ImportEntry, importedApiKey } from "./entries.ts";
import { fileUnreadable, readTextFile } from "./text-file.ts";

export interface FernetDatabasePaths {
  /** A SQLite file with a table `secrets(id, name, description, encrypted_value, created_at, updated_at)`. */
  readonly database: string;
  /** A file with one or more Fernet keys, one on each line. */
  readonly keyFile: string;
}

/**
 * Reads and decrypts the secrets of a Fernet store for {@link importSecrets}; each becomes an apiKey. A description
 * becomes one line, and a time that SQLite would not understand is dropped. Fernet does not bind a value to its name,
 * so values that were swapped in the file are imported swapped.
 *
 * @returns an entry for each row, in the order of their ids
 * @throws AutokestraError `OPTION_INVALID`, `KEY_INVALID`, `VALUE_INVALID`, `SOURCE_FAILED`, `STORE_UNAVAILABLE`
 */
export async function readFernetDatabase(paths: FernetDatabasePaths): Promise<ImportEntry[]> {
  const lines = (await readTextFile(paths.keyFile)).split("\n").map((line) => line.trim());
  const fernet = createFernet(lines.filter((line) => line !== ""));
  return (await readFernetRows(paths.database)).map((row) => readRow(row, fernet));
}

function readRow(row: FernetRow, fernet: Fernet): ImportEntry {
  const name = row.name ?? row.rowName ?? "row without an id";
  const description = toOneLine(row.description ?? "");
  // SQLite puts U+FFFD for what is not UTF-8.
  if (row.name === null || /\ufffd/.test(name + description)) {
    return { name, reason: "It has no name, or a text that is not UTF-8" };
  }
  const problem = descriptionProblem(description);
  if (problem !== null) return { name, reason: `The description ${problem}` };
  try {
    return {
      ...importedApiKey(name, decodeText(fernet.decrypt(row.token ?? ""))),
      description: description || undefined,
      createdAt: parseSqliteTime(row.createdAt ?? ""),
      updatedAt: parseSqliteTime(row.updatedAt ?? ""),
      importedId: numberOf(row.rowName ?? ""),
    };
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    return { name, reason: error.message };
  }
}

/** Returns the id in `row 7`; undefined if it is not a whole number. */
function numberOf(rowName: string): number | undefined {
  const digits = /^row (\d{1,15})$/.exec(rowName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Replaces line breaks and other characters that a description must not have by a space. */
function toOneLine(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new AutokestraError("VALUE_INVALID", "The value is not UTF-8 text");
  }
}

const MAX_BYTES = 16 * 1024 * 1024;

/** One row of the table `secrets`, each column as SQLite casts it to text. */
type FernetRow = Readonly<
  Record<"rowName" | "name" | "description" | "token" | "createdAt" | "updatedAt", string | null>
>;

const SELECT_ROWS = `
  SELECT 'row ' || id AS rowName, CAST(name AS TEXT) AS name, CAST(description AS TEXT) AS description,
    CAST(encrypted_value AS TEXT) AS token, CAST(created_at AS TEXT) AS createdAt, CAST(updated_at AS TEXT) AS updatedAt
  FROM main.secrets ORDER BY id`;

/** Finds stored columns only. A view or a generated column could return any amount of data. */
const SELECT_COLUMNS = `
  SELECT columns.name FROM pragma_table_list('secrets') AS tables, pragma_table_xinfo(tables.name) AS columns
  WHERE tables.schema = 'main' AND tables.type = 'table' AND columns.hidden = 0`;

const COLUMNS = ["id", "name", "description", "encrypted_value", "created_at", "updated_at"];

/**
 * Reads all rows of a SQLite file with a table `secrets(id, name, description, encrypted_value, created_at,
 * updated_at)`. It does not change the file, and the program that owns it may be running. SQLite leaves an empty `-wal`
 * and a `-shm` beside a file in WAL mode.
 *
 * @throws AutokestraError `OPTION_INVALID` (no such file), `VALUE_INVALID` (another layout, damaged, over 16 MiB),
 * `SOURCE_FAILED` with the code of SQLite, `STORE_UNAVAILABLE` if SQLite cannot be loaded
 */
async function readFernetRows(path: string): Promise<FernetRow[]> {
  await checkIsFile(path);
  const { loadSqlite } = await import("@autokestra/sqlite");
  const sqlite = await loadSqlite();
  try {
    // An absolute path, because SQLite gives names such as :memory: a special meaning.
    const database = sqlite.open(resolve(path), { mode: "ro", timeoutMs: 5000 });
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
  if (!info.isFile()) throw new AutokestraError("OPTION_INVALID", `${quotePath(path)} is not a file`);
}

function checkDatabase(database: Database, path: string): void {
  const size = Number(database.pragma("page_count")) * Number(database.pragma("page_size"));
  if (size > MAX_BYTES) throw unfit(path, "is larger than 16 MiB");
  const columns = database.prepare<[], string>(SELECT_COLUMNS).pluck().all();
  const missing = COLUMNS.filter((column) => !columns.includes(column));
  if (columns.length === 0) throw unfit(path, "has no table `secrets`");
  if (missing.length > 0) throw unfit(path, `has a table \`secrets\` without ${missing.join(", ")}`);
  // A damaged B-tree can omit rows without an error.
  if (database.pragma("quick_check('secrets')") !== "ok") throw unfit(path, "is damaged");
}

function unfit(path: string, what: string): AutokestraError {
  return new AutokestraError(
    "VALUE_INVALID",
    `The database ${quotePath(path)} ${what}: nothing can be imported from it`,
  );
}

/**
 * Parses a time as SQLite writes it: `2026-11-22 12:00:00`, also with a fraction, `T` or an offset. Without an offset
 * it is UTC, as in https://sqlite.org/lang_datefunc.html.
 *
 * @returns null for anything else, also for a number, which could count days, seconds or milliseconds
 */
export function parseSqliteTime(text: string): Timestamp | null {
  if (!/^\d{4}-/.test(text)) return null;
  const iso = text.replace(" ", "T");
  return parseTimestamp(iso) ?? parseTimestamp(`${iso}Z`);
}

import { AutokestraError, descriptionSchema } from "@autokestra/secrets-core";
import { createFernet, type Fernet } from "@autokestra/secrets-crypto/fernet";
import { type FernetRow, readFernetRows } from "./fernet-row.ts";
import { type ImportEntry, importedApiKey } from "./import-entry.ts";
import { readTextFile } from "./read-text-file.ts";
import { parseSqliteTime } from "./sqlite-time.ts";

export interface FernetDatabasePaths {
  /** A SQLite file with a table `secrets(id, name, description, encrypted_value, created_at, updated_at)`. */
  readonly database: string;
  /** One Fernet key or several, one a line. */
  readonly keyFile: string;
}

/**
 * Reads and decrypts the secrets of a Fernet store, each an apiKey. A description becomes one line; a time that SQLite would not
 * understand is left out. Fernet does not bind a value to its name: values that somebody has swapped in the file come swapped.
 *
 * @returns an entry for each row, in the order of the ids; one that cannot be read says why
 * @throws AutokestraError `USAGE`, `KEY_INVALID`, `VALUE_INVALID`, `SOURCE_FAILED`, `STORE_UNAVAILABLE`
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
  const [problem] = descriptionSchema.safeParse(description).error?.issues ?? [];
  if (problem !== undefined) return { name, reason: `The description ${problem.message}` };
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

/** The id in `row 7`; undefined where it is no whole number. */
function numberOf(rowName: string): number | undefined {
  const digits = /^row (\d{1,15})$/.exec(rowName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Line breaks and other characters that a description must not have become a space. */
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

import { lstatSync, readFileSync } from "node:fs";
import type { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, quotePath, storeUnavailable } from "@autokestra/secrets-core/internal";
import { type Database, openCopyInMemory, type SqliteLibrary } from "./database.ts";
import { openFailureReason, READ_ONLY } from "./errors.ts";

/** A copy of a database in memory, for reading. */
export interface Snapshot {
  readonly database: Database;
  /** Returns false if the file has changed since it was copied. */
  readonly isInPlace: () => boolean;
  /** Why the database itself cannot be opened. */
  readonly readOnlyReason: AutokestraError;
}

/** The codes if SQLite cannot create the `-shm` that a database in WAL mode needs. */
const READ_ONLY_CODES = /^SQLITE_(CANTOPEN|FULL|IOERR_SHM|READONLY)/;

/**
 * Copies a database into memory, to read it in a read-only folder or on a full disk.
 *
 * @param error the error of SQLite when it opened the database
 * @param check checks the copy, and throws if it is not valid
 * @returns null if the error has another reason
 * @throws AutokestraError `STORE_UNAVAILABLE` if the last changes are not in the file itself; an error of the file
 * system
 */
export function openSnapshot(
  library: SqliteLibrary,
  path: string,
  error: unknown,
  check: (database: Database) => void,
): Snapshot | null {
  const code = errorCode(error);
  if (!READ_ONLY_CODES.test(code)) return null;
  const before = stateOf(path);
  if (before === null) throw onlyInCompanion(path);
  const bytes = readFileSync(path);
  const database = openCopyInMemory(library, bytes);
  try {
    check(database);
    const isInPlace = () => stateOf(path) === before;
    if (!isInPlace()) throw storeUnavailable(path, "it was changed at this very moment", "Try again.");
    return { database, isInPlace, readOnlyReason: storeUnavailable(path, openFailureReason(error, path)) };
  } catch (failure) {
    database.close();
    throw failure;
  }
}

/** Returns a text that changes with every write; null if the WAL or the journal has content. */
function stateOf(path: string): string | null {
  if (sizeOf(`${path}-wal`) > 0 || sizeOf(`${path}-journal`) > 0) return null;
  const { ino, size, mtimeNs } = lstatSync(path, { bigint: true });
  return `${ino}:${size}:${mtimeNs}`;
}

function sizeOf(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function onlyInCompanion(path: string): AutokestraError {
  return storeUnavailable(
    path,
    `${READ_ONLY}, and its last changes are in ${quotePath(`${path}-wal`)}`,
    "Copy the whole folder to where it can be written to.",
  );
}

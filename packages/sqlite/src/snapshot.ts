import { lstatSync, readFileSync } from "node:fs";
import type { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, quotePath, storeUnavailable } from "@autokestra/secrets-core/internal";
import { type Database, inMemory, type SqliteLibrary } from "./database.ts";
import { openFailureReason, READ_ONLY } from "./errors.ts";

/** A copy of a database in memory, for reading. */
export interface Snapshot {
  readonly database: Database;
  /** False once the file is no longer what was copied. */
  readonly isInPlace: () => boolean;
  /** Why the database itself cannot be opened. */
  readonly readOnlyReason: AutokestraError;
}

/** Codes for: its `-shm`, without which SQLite opens no database in WAL mode, cannot be made here. */
const READ_ONLY_CODES = /^SQLITE_(CANTOPEN|FULL|IOERR_SHM|READONLY)/;

/**
 * Reads a database in a folder that cannot be written to, or on a full disk.
 *
 * @param error why SQLite did not open it
 * @param check looks at the copy, and throws where it is not what it should be
 * @returns null where that has another reason
 * @throws AutokestraError `STORE_UNAVAILABLE` where its last changes are not in the file itself; an error of the file system
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
  const database = inMemory(library, bytes);
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

/** Tells whether anything was written between two looks; null where the file is not all there is. */
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

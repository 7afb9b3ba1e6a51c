import { closeSync, openSync, rmSync } from "node:fs";
import { systemReason, temporaryPath } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, storeCorrupt, storeUnavailable } from "@autokestra/secrets-core/internal";

/** The primary result codes that mean a damaged file. See https://sqlite.org/rescode.html */
const DAMAGE: Readonly<Record<string, string>> = {
  SQLITE_CONSTRAINT: "it breaks its own rules",
  SQLITE_CORRUPT: "it is damaged",
  SQLITE_ERROR: "it is not laid out as it should be",
  SQLITE_MISMATCH: "it breaks its own rules",
  SQLITE_NOTADB: "it is not a database",
};

export const READ_ONLY = "it is read-only";

/** The result codes that mean a problem around the file. */
const TROUBLE: Readonly<Record<string, string>> = {
  SQLITE_BUSY: "another process keeps it locked",
  SQLITE_CANTOPEN: "it cannot be opened",
  SQLITE_FULL: "disk is full",
  SQLITE_IOERR: "the disk failed to read or write",
  SQLITE_IOERR_SHMSIZE: "no space left, or a limit of file sizes is reached",
  SQLITE_NOMEM: "there is not enough memory",
  SQLITE_PERM: "permission denied",
  SQLITE_PROTOCOL: "another process keeps it locked",
  SQLITE_READONLY: READ_ONLY,
};

/**
 * Converts an error of SQLite or the file system into one with path and code. Leaves out its message, which can quote
 * values. Returns an AutokestraError unchanged.
 */
export function toStoreError(error: unknown, path: string): AutokestraError {
  if (error instanceof AutokestraError) return error;
  const toError = primaryCode(error) in DAMAGE ? storeCorrupt : storeUnavailable;
  return toError(path, sqliteReason(error));
}

/** Returns what an error of SQLite or the file system means, with its code: `disk is full (SQLITE_FULL)`. */
export function sqliteReason(error: unknown): string {
  const code = errorCode(error);
  const primary = primaryCode(error);
  const reason = DAMAGE[primary] ?? TROUBLE[code] ?? TROUBLE[primary] ?? systemReason(error) ?? "unexpected failure";
  return code === "" ? reason : `${reason} (${code})`;
}

function primaryCode(error: unknown): string {
  return errorCode(error).split("_", 2).join("_");
}

/**
 * Returns why an existing database cannot be opened or written, with a code: `disk is full (SQLITE_FULL)`. If SQLite
 * cannot open a file, it usually cannot create its `-shm`, so this tries to create a file to find the reason.
 */
export function openFailureReason(error: unknown, path: string): string {
  if (errorCode(error) !== "SQLITE_CANTOPEN") return sqliteReason(error);
  const probe = temporaryPath(path);
  try {
    closeSync(openSync(probe, "wx", 0o600));
    rmSync(probe);
  } catch (reason) {
    return ["EACCES", "EPERM", "EROFS"].includes(errorCode(reason)) ? READ_ONLY : sqliteReason(reason);
  }
  return sqliteReason(error);
}

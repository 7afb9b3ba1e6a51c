import { closeSync, openSync, rmSync } from "node:fs";
import { draftPath } from "@autokestra/private-files";
import { errorCode } from "@autokestra/secrets-core";
import { READ_ONLY, sqliteReason } from "./errors.ts";

/**
 * Why a database that is there cannot be opened or written, with a code: `disk is full (SQLITE_FULL)`. Where SQLite only says that
 * it cannot open a file, it mostly is its `-shm` that cannot be made: the system says why.
 */
export function whyNotOpened(error: unknown, path: string): string {
  if (errorCode(error) !== "SQLITE_CANTOPEN") return sqliteReason(error);
  const probe = draftPath(path);
  try {
    closeSync(openSync(probe, "wx", 0o600));
    rmSync(probe);
  } catch (reason) {
    return ["EACCES", "EPERM", "EROFS"].includes(errorCode(reason)) ? READ_ONLY : sqliteReason(reason);
  }
  return sqliteReason(error);
}

import { closeSync, openSync, rmSync } from "node:fs";
import { errorCode } from "@autokestra/secrets-core";
import { draftPath } from "@autokestra/secrets-files";
import { READ_ONLY, sqliteReason } from "./store-error.ts";

/**
 * Why a database that is there cannot be opened or written. Where SQLite only says that it cannot open a file, it is its `-shm`
 * that cannot be made: the system says why.
 */
export function sqliteObstacle(error: unknown, path: string): string {
  if (errorCode(error) !== "SQLITE_CANTOPEN") return sqliteReason(error);
  const probe = draftPath(path);
  try {
    closeSync(openSync(probe, "wx", 0o600));
    rmSync(probe);
  } catch (reason) {
    if (!["EACCES", "EPERM", "EROFS"].includes(errorCode(reason))) return sqliteReason(reason);
  }
  return READ_ONLY;
}

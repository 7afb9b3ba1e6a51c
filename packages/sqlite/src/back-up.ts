import { closeSync, openSync } from "node:fs";
import { buildInPrivateFolder, fileIdentity, sweepTemporaryFiles } from "@autokestra/private-files";
import { storeUnavailable } from "@autokestra/secrets-core/internal";
import type { Database } from "./database.ts";
import { toStoreError } from "./errors.ts";

/**
 * Writes a consistent copy of a database without free pages, with mode 0600, while other processes read and write.
 *
 * @param target the absolute path of the new file
 * @throws AutokestraError `STORE_UNAVAILABLE` with the path of the copy; an error of SQLite if the database is damaged
 */
export function backupDatabase(database: Database, target: string): void {
  if (fileIdentity(target) !== null || !writeCopy(database, target)) {
    throw storeUnavailable(target, "it already exists", "Give the name of a new file.");
  }
  sweepTemporaryFiles(target);
}

function writeCopy(database: Database, target: string): boolean {
  try {
    return buildInPrivateFolder(target, (file) => {
      // VACUUM fills an empty file and keeps its mode, which its journal gets too.
      closeSync(openSync(file, "wx", 0o600));
      database.prepare("VACUUM INTO ?").run(file);
    });
  } catch (error) {
    const failure = toStoreError(error, target);
    throw failure.code === "STORE_CORRUPT" ? error : failure;
  }
}

import { closeSync, lstatSync, openSync, type Stats } from "node:fs";
import { buildInPrivateFolder, closeToOthers, fileIdentity, OTHERS, sweepDrafts } from "@autokestra/private-files";
import { quotePath, storeCorrupt, storeUnavailable } from "@autokestra/secrets-core";
import type { Database } from "./database.ts";
import { toStoreError } from "./errors.ts";

/**
 * Looks at a database file before SQLite opens it, and closes it and its companions to other users. By path, in a folder that
 * nobody else can enter: to open and close the file here would drop the locks of every connection of this process
 * (https://sqlite.org/howtocorrupt.html, 2.2).
 *
 * @returns false where there is none yet
 * @throws AutokestraError `STORE_UNAVAILABLE` (a link, a folder, not ours), `STORE_CORRUPT` (empty, or only its WAL is left)
 */
export function checkDatabaseFile(path: string): boolean {
  // The WAL before the database: another process may be making both at this moment, in the other order.
  const wal = closeFile(path, `${path}-wal`);
  closeFile(path, `${path}-shm`);
  const database = closeFile(path, path);
  // SQLite would take an empty file for a new database, and every secret in it for absent.
  if (database?.size === 0) throw storeCorrupt(path, "it is empty");
  if (database === undefined && wal !== undefined) throw storeCorrupt(path, "it is gone and only its WAL is left");
  return database !== undefined;
}

function closeFile(path: string, file: string): Stats | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isFile()) {
    const kind = stat.isSymbolicLink() ? "a symbolic link" : "not a regular file";
    throw storeUnavailable(path, `${quotePath(file)} is ${kind}`, "Give the path of the file itself.");
  }
  const refuse = (problem: string, hint?: string) => storeUnavailable(path, problem, hint);
  if ((stat.mode & OTHERS) !== 0) closeToOthers(file, "600", refuse);
  return stat;
}

/**
 * Writes a consistent copy without free pages, 0600, while others read and write.
 *
 * @param target an absolute path
 * @throws AutokestraError `STORE_UNAVAILABLE`, with the path of the copy; an error of SQLite where the database is damaged
 */
export function backupDatabase(database: Database, target: string): void {
  if (fileIdentity(target) !== null || !writeCopy(database, target)) {
    throw storeUnavailable(target, "there is something of this name already", "Give the name of a new file.");
  }
  sweepDrafts(target);
}

function writeCopy(database: Database, target: string): boolean {
  try {
    return buildInPrivateFolder(target, (file) => {
      // VACUUM fills an empty file and leaves its mode alone, and its journal takes that mode.
      closeSync(openSync(file, "wx", 0o600));
      database.prepare("VACUUM INTO ?").run(file);
    });
  } catch (error) {
    const failure = toStoreError(error, target);
    throw failure.code === "STORE_CORRUPT" ? error : failure;
  }
}

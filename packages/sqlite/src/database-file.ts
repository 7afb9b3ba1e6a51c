import { lstatSync, type Stats } from "node:fs";
import { closeToOthers, OTHERS } from "@autokestra/private-files";
import { quotePath, storeCorrupt, storeUnavailable } from "@autokestra/secrets-core";

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

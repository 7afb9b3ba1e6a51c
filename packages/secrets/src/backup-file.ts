import { fstatSync, lstatSync, readFileSync } from "node:fs";
import { systemReason, withOpenFile } from "@autokestra/private-files";
import { AutokestraError, errorCode, hasCode, quotePath, type SecretStoreFile } from "@autokestra/secrets-core";
import { type Backend, openStoreFile } from "./store-backend.ts";

/** In bytes: it is read whole. */
const MAX_SIZE = 1024 * 1024 * 1024;

export const BACKUP_HINT =
  "Nothing was changed. A backup is a copy that was made of a store, and needs the master key of its time.";

/** Reads a file that may be a backup. @throws AutokestraError `STORE_CORRUPT`, `USAGE` where there is none */
export function readBackup(path: string): Buffer {
  const refuse = (problem: string) => backupUnusable(path, problem);
  try {
    const wal = lstatSync(`${path}-wal`, { throwIfNoEntry: false });
    if ((wal?.size ?? 0) > 0) throw refuse("is a database in use: make a backup of it instead");
    const content = withOpenFile(path, refuse, (descriptor) => {
      if (descriptor === null) return null;
      if (fstatSync(descriptor).size > MAX_SIZE) throw refuse("is larger than 1 GiB");
      return readFileSync(descriptor);
    });
    if (content !== null) return content;
  } catch (error) {
    const reason = systemReason(error);
    throw reason === null ? error : backupUnusable(path, `cannot be read: ${reason} (${errorCode(error)})`);
  }
  throw new AutokestraError("USAGE", `There is no file ${quotePath(path)}`);
}

/** Which kind of store the bytes are of. */
export function kindOf(content: Buffer): Backend {
  return content.subarray(0, 16).toString("latin1") === "SQLite format 3\0" ? "sqlite" : "file";
}

/**
 * Opens a copy of a backup.
 *
 * @param source where the backup itself is, for messages
 */
export async function openBackup(kind: Backend, path: string, source: string): Promise<SecretStoreFile> {
  try {
    return await openStoreFile(kind, path, false);
  } catch (error) {
    throw hasCode(error, "STORE_CORRUPT") ? backupUnusable(source, "is no backup of a store, or is damaged") : error;
  }
}

/** `The backup "FILE" was not restored` */
export function refusal(file: string): string {
  return `The backup ${quotePath(file)} was not restored`;
}

export function backupUnusable(file: string, problem: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `${refusal(file)}: it ${problem}`, { hint: BACKUP_HINT });
}

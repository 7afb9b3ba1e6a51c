import { closeSync, linkSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makePrivateFolder, moveFile, sweepDeadTemporaryFiles, temporaryPath } from "@autokestra/private-files";
import { errorCode, storeUnavailable } from "@autokestra/secrets-core/internal";
import { readDriverRecord, recordOf, rememberDriver, writeDriverRecord } from "./driver-record.ts";
import { type FolderDriver, toStoreError } from "./drivers.ts";

/** How to replace the store of a folder. */
interface Replacement {
  readonly folder: string;
  /** The driver of the existing store, even of a damaged or removed one. */
  readonly current: FolderDriver;
  readonly next: FolderDriver;
  /** The file of the new, complete store. It is moved. */
  readonly path: string;
  /** Called last: returns false if another process has written to the existing store. */
  readonly isUnchanged: () => boolean;
  /** Keep the existing store under another name instead of losing it. */
  readonly keep: boolean;
}

/**
 * Replaces the store of a folder. If the process is killed, either the old or the new store counts, and it is complete.
 * Call it while no other process can write to the existing store.
 *
 * @returns the path under which the old store is kept; null if there is nothing to keep
 * @throws AutokestraError `STORE_UNAVAILABLE` if another process has written to the store after all; an error of the
 * file system. Nothing is changed then
 */
export function replaceStore({ folder, current, next, path, isUnchanged, keep }: Replacement): string | null {
  const old = join(folder, current.file);
  const place = join(folder, next.file);
  const kept = `${current.file}.${new Date().toISOString().replaceAll(/[:.]/g, "-")}.backup`;
  const keptPath = join(folder, kept);
  function checkUnchanged(): void {
    if (isUnchanged()) return;
    throw storeUnavailable(folder, "another process has written to it meanwhile", "Nothing was changed. Try again.");
  }

  if (readDriverRecord(folder) === null) rememberDriver(folder, recordOf(current));
  // Only a damaged or removed database has these files; beside a complete one they do not exist or are empty.
  for (const companion of next.companions) {
    ifThere(() => keepCompanion(`${place}${companion}`, `${keptPath}${companion}`));
  }
  if (current === next) {
    checkUnchanged();
    const isKept = keep && ifThere(() => linkSync(old, keptPath));
    moveFile(path, place);
    writeDriverRecord(folder, recordOf(next));
    return isKept ? keptPath : null;
  }
  moveFile(path, place);
  try {
    writeDriverRecord(folder, { ...recordOf(current), next, kept });
    checkUnchanged();
  } catch (error) {
    rmSync(place, { force: true });
    throw error;
  }
  // The decisive step: after it the new store counts, also for a process that reads the record as it is now.
  const isKept = ifThere(() => moveFile(old, keptPath));
  writeDriverRecord(folder, recordOf(next));
  return isKept ? keptPath : null;
}

/**
 * Removes a companion that SQLite no longer needs, which is empty or begins with a zero, and keeps any other. See
 * https://sqlite.org/fileformat.html#the_rollback_journal
 */
function keepCompanion(from: string, to: string): void {
  if (firstByte(from) === 0) rmSync(from);
  else renameSync(from, to);
}

/** Returns 0 for an empty file. Reads no more, because a WAL can have any size. */
function firstByte(path: string): number {
  const byte = new Uint8Array(1);
  const file = openSync(path, "r");
  try {
    readSync(file, byte, 0, 1, 0);
  } finally {
    closeSync(file);
  }
  return byte[0] ?? 0;
}

/** @returns false if the file of `work` does not exist */
function ifThere(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/**
 * Runs `work` with a new temporary folder inside the folder of a store, and removes it afterwards. Also removes those
 * that killed processes have left.
 *
 * @throws what `work` throws; AutokestraError `STORE_UNAVAILABLE` for an error of the file system
 */
export async function withTemporaryFolder<T>(folder: string, work: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = temporaryPath(join(folder, "store"));
  try {
    sweepDeadTemporaryFiles(folder);
    makePrivateFolder(temporary);
    return await work(temporary);
  } catch (error) {
    throw toStoreError(error, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

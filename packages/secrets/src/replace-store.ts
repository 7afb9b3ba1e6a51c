import { closeSync, linkSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makePrivateFolder, moveFile, sweepDeadTemporaryFiles, temporaryPath } from "@autokestra/private-files";
import { errorCode, storeUnavailable } from "@autokestra/secrets-core/internal";
import { readDriverRecord, recordOf, rememberDriver, writeDriverRecord } from "./driver-record.ts";
import { type FolderDriver, toStoreError } from "./drivers.ts";

/** A store to put in the place of another one. */
interface Replacement {
  readonly folder: string;
  /** The driver of the store that is there, even a damaged or removed one. */
  readonly current: FolderDriver;
  readonly next: FolderDriver;
  /** The file of the new store, whole: it is moved. */
  readonly path: string;
  /** The last look at the store that is there: false where somebody has written to it. */
  readonly isUnchanged: () => boolean;
  /** Keep the store that is there under another name; without, it is lost. */
  readonly keep: boolean;
}

/**
 * Puts a store in the place of another one. Killed at any moment, the one or the other counts, whole. To be called while nobody
 * else can write to the store that is there.
 *
 * @returns the path under which the old store is kept; null where there is nothing to keep
 * @throws AutokestraError `STORE_UNAVAILABLE` where it was written to all the same; an error of the file system. Nothing is changed
 * then
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
  // Beside a damaged database or none; one that is whole has none of these, or empty ones.
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
  // This is the moment: from here on the new store counts, also for who finds the record as it is now.
  const isKept = ifThere(() => moveFile(old, keptPath));
  writeDriverRecord(folder, recordOf(next));
  return isKept ? keptPath : null;
}

/** What SQLite is done with is removed: it has a zero in front, or nothing. See https://sqlite.org/fileformat.html#the_rollback_journal */
function keepCompanion(from: string, to: string): void {
  if (firstByte(from) === 0) rmSync(from);
  else renameSync(from, to);
}

/** Zero for an empty file. A WAL can be of any size. */
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

/** @returns false where the file that `work` is about is not there */
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
 * Lets `work` build a store in a folder of its own inside the folder of a store, and removes that folder afterwards; those of
 * processes that were killed, too.
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

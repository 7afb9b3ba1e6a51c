import { chmodSync, fstatSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode } from "@autokestra/secrets-core/internal";
import { fileIdentity, GROUP_AND_OTHERS, withOpenFile } from "./private-file.ts";
import {
  sweepTemporaryFiles,
  sweepTemporaryFilesOfOthers,
  syncFile,
  syncFolder,
  temporaryPath,
  withTemporaryFile,
} from "./temporary-file.ts";

/**
 * Creates a file with mode 0600, completely or not at all: it gets its name only when it is complete, so no process
 * reads half of it. If several processes create it at once, one succeeds. File and name are on the disk when it
 * returns, even if it returns false. Use {@link replacePrivateFile} to change the file later.
 *
 * @param path the path of the file; its folder must exist
 * @returns false if the path exists already; nothing is changed then
 *
 * @example
 * ```ts
 * import { mkdtempSync, readFileSync, statSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { createPrivateFile } from "@autokestra/private-files";
 *
 * const path = join(mkdtempSync(join(tmpdir(), "demo-")), "token");
 * console.log(createPrivateFile(path, "s3cret"), createPrivateFile(path, "another")); // prints true false
 * console.log(readFileSync(path, "utf8"), (statSync(path).mode & 0o777).toString(8)); // prints s3cret 600
 * ```
 */
export function createPrivateFile(path: string, content: string | Uint8Array): boolean {
  return linkNewFile(path, () => withTemporaryFile(path, content, (temporary) => linkSync(temporary, path)));
}

/**
 * Creates a lock file as {@link createPrivateFile} does, but does not wait for the disk, because a lock does not
 * outlive a power failure anyway. After one, the file can be empty.
 */
export function createLockFile(path: string, content: string): boolean {
  return isLinked(path, () => withTemporaryFile(path, content, (temporary) => linkSync(temporary, path), false));
}

/**
 * Creates a file as {@link createPrivateFile} does, for a library that writes the file itself and ignores modes, such
 * as SQLite. The library writes it, and its journals, in a temporary folder that only this user can enter.
 *
 * @param build writes the file at the path that it gets
 * @returns false if the path exists already; nothing is changed then
 */
export function buildInPrivateFolder(path: string, build: (file: string) => void): boolean {
  return linkNewFile(path, () => linkBuilt(path, build));
}

function linkBuilt(path: string, build: (file: string) => void): void {
  const folder = temporaryPath(path);
  try {
    mkdirSync(folder, { mode: 0o700 });
    chmodSync(folder, 0o700);
    const file = join(folder, basename(path));
    build(file);
    chmodSync(file, 0o600);
    syncFile(file);
    linkSync(file, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs `link`, which gives a new file this name unless the name is taken. */
export function linkNewFile(path: string, link: () => void): boolean {
  const created = isLinked(path, link);
  syncFolder(dirname(path));
  return created;
}

function isLinked(path: string, link: () => void): boolean {
  try {
    link();
    return true;
  } catch (error) {
    // Whatever the error is: if the path exists now, another process has created it. It may be removed again by now.
    if (errorCode(error) !== "EEXIST" && fileIdentity(path) === null) throw error;
    return false;
  }
}

/**
 * Replaces a file by a new one with mode 0600, completely or not at all: readers see the whole old or new file. File
 * and name are on the disk when it returns. Call it while holding a lock, because it removes the temporary files of all
 * other processes.
 *
 * @param isCurrent called last before the replacement: returns false if the lock was lost
 * @returns false if the lock was lost; nothing is changed then
 *
 * @example
 * ```ts
 * import { mkdtempSync, readFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { replacePrivateFile, withLockFile } from "@autokestra/private-files";
 *
 * const path = join(mkdtempSync(join(tmpdir(), "demo-")), "state.json");
 * await withLockFile(path, 1000, async (isHeld) => replacePrivateFile(path, '{"runs":1}', isHeld));
 * console.log(readFileSync(path, "utf8")); // prints {"runs":1}
 * ```
 */
export function replacePrivateFile(path: string, content: string | Uint8Array, isCurrent: () => boolean): boolean {
  sweepTemporaryFilesOfOthers(path);
  const replaced = publish(path, content, isCurrent);
  if (replaced) syncFolder(dirname(path));
  return replaced;
}

function publish(path: string, content: string | Uint8Array, isCurrent: () => boolean): boolean {
  try {
    return withTemporaryFile(path, content, (temporary) => {
      // The check comes directly before the change, so that a lost lock does as little harm as possible.
      if (!isCurrent()) return false;
      renameSync(temporary, path);
      return true;
    });
  } catch (error) {
    // The process that took the lock has removed the temporary file.
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** Renames a file in its folder, and replaces a file of that name. The change is on the disk when it returns. */
export function moveFile(from: string, to: string): void {
  renameSync(from, to);
  syncFolder(dirname(to));
}

/**
 * Keeps a copy of a file before it gets another layout, as `secrets.db.v1.backup` beside it, with mode 0600 and on the
 * disk. If the name is taken, it gets a number: `secrets.db.v1.2.backup`. The copy of an upgrade that was killed is
 * used again.
 *
 * @param path the path of the file, whose lock the caller holds
 * @param layout the current layout of the file
 * @param content the current content of the file
 */
export function keepBackup(path: string, layout: number, content: Uint8Array): void {
  for (let count = 1; ; count++) {
    const backup = count === 1 ? `${path}.v${layout}.backup` : `${path}.v${layout}.${count}.backup`;
    sweepTemporaryFiles(backup);
    if (createPrivateFile(backup, content) || isPrivateCopy(backup, content)) return;
  }
}

function isPrivateCopy(path: string, content: Uint8Array): boolean {
  try {
    return withOpenFile(
      path,
      (problem) => new Error(problem),
      (descriptor) => {
        if (descriptor === null || (fstatSync(descriptor).mode & GROUP_AND_OTHERS) !== 0) return false;
        return readFileSync(descriptor).equals(content);
      },
    );
  } catch {
    // A link, a folder or the file of another user.
    return false;
  }
}

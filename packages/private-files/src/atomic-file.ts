import { chmodSync, fstatSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode } from "@autokestra/secrets-core/internal";
import { fileIdentity, OTHERS, withOpenFile } from "./private-file.ts";
import {
  sweepTemporaryFiles,
  sweepTemporaryFilesOfOthers,
  syncFile,
  syncFolder,
  temporaryPath,
  withTemporaryFile,
} from "./temporary-file.ts";

/**
 * Creates a file with mode 0600 in a folder that is there. It appears under its name only when it is whole, and no process
 * ever reads half of it; of many that create it at once, one does. File and name are on the disk when this returns, also where
 * the file is that of another.
 *
 * @returns false, and changes nothing, where there is something of this name already
 */
export function createPrivateFile(path: string, content: string | Uint8Array): boolean {
  return publishNew(path, () => withTemporaryFile(path, content, (temporary) => linkSync(temporary, path)));
}

/**
 * Creates a file as {@link createPrivateFile} does, for a lock. It ends with the power anyway, so nothing waits for the disk: after a
 * loss of power it can be there without content.
 */
export function createLockFile(path: string, content: string): boolean {
  return isLinked(path, () => withTemporaryFile(path, content, (temporary) => linkSync(temporary, path), false));
}

/**
 * Creates a file as {@link createPrivateFile} does, by a library that makes the file itself and knows nothing of modes. What it
 * makes, journals included, lies in a folder that only this user can enter, until the file is whole, has mode 0600 and is on the disk.
 *
 * @param build makes the file of this name; no other process removes it meanwhile
 * @returns false, and changes nothing, where there is something of this name already
 */
export function buildInPrivateFolder(path: string, build: (file: string) => void): boolean {
  return publishNew(path, () => linkBuilt(path, build));
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

/** Runs `link`, which gives a new file this name unless there is something of this name. */
function publishNew(path: string, link: () => void): boolean {
  const created = isLinked(path, link);
  syncFolder(dirname(path));
  return created;
}

function isLinked(path: string, link: () => void): boolean {
  try {
    link();
    return true;
  } catch (error) {
    // What counts is the file of another process, whatever the error; it may be gone again by now.
    if (errorCode(error) !== "EEXIST" && fileIdentity(path) === null) throw error;
    return false;
  }
}

/**
 * Puts a new file with mode 0600 in the place of the one that is there, if any; readers see the old or the new one, whole.
 * File and name are on the disk when this returns. To be called with a lock held: it removes the temporary files of all
 * other processes.
 *
 * @param isCurrent the last look before the replacement
 * @returns false, and changes nothing, where `isCurrent` says no or the temporary file was swept: the lock was lost
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
      // Nothing in between: the less comes between them, the less a lost lock can do.
      if (!isCurrent()) return false;
      renameSync(temporary, path);
      return true;
    });
  } catch (error) {
    // Whoever took the lock has swept the temporary file.
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** Gives a file another name in the same folder, replacing what has it. The change is on the disk when this returns. */
export function moveFile(from: string, to: string): void {
  renameSync(from, to);
  syncFolder(dirname(to));
}

/**
 * Keeps what a file holds before it gets another layout, as `secrets.db.v1.backup` beside it with mode 0600, on the disk. A name
 * that something else has gets a number: `secrets.db.v1.2.backup`. What an upgrade that was killed has left counts as kept.
 *
 * @param path the file, whose lock is held
 * @param layout the version that it has
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
        if (descriptor === null || (fstatSync(descriptor).mode & OTHERS) !== 0) return false;
        return readFileSync(descriptor).equals(content);
      },
    );
  } catch {
    // A link, a folder, a file of somebody else: not ours.
    return false;
  }
}

import { chmodSync, linkSync, mkdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode } from "@autokestra/secrets-core";
import { draftPath, withDraft } from "./draft.ts";
import { fileIdentity } from "./file-identity.ts";
import { syncFile, syncFolder } from "./sync-folder.ts";

/**
 * Creates a file with mode 0600 in a folder that is there. It appears under its name only when it is whole, and no process
 * ever reads half of it; of many that create it at once, one does. File and name are on the disk when this returns, also where
 * the file is that of another.
 *
 * @returns false, and changes nothing, where there is something of this name already
 */
export function createPrivateFile(path: string, content: string | Uint8Array): boolean {
  return publishNew(path, () => withDraft(path, content, (draft) => linkSync(draft, path)));
}

/**
 * Creates a file as {@link createPrivateFile} does, for a lock. It ends with the power anyway, so nothing waits for the disk: after a
 * loss of power it can be there without content.
 */
export function createLockFile(path: string, content: string): boolean {
  return isLinked(path, () => withDraft(path, content, (draft) => linkSync(draft, path), false));
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
  const folder = draftPath(path);
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

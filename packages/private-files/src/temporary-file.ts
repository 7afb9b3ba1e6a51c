import { closeSync, fchmodSync, fsyncSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode } from "@autokestra/secrets-core/internal";

const SUFFIX = ".draft";
/** What stands before it: the number of the process, and a UUID. */
const OWNER = /^\.(\d+)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Returns a new path for a temporary file or folder beside `path`, which names this process. */
export function temporaryPath(path: string): string {
  return `${path}.${process.pid}-${crypto.randomUUID()}${SUFFIX}`;
}

/**
 * Writes a temporary file beside `path`, and calls `publish` to give it that name. The file is then complete, on the
 * disk and has mode 0600, whatever the umask. Removes it if it still has its temporary name afterwards.
 *
 * @param outlastsPower false: do not wait for the disk. The file can be lost or empty after a power failure. Default:
 * true
 */
export function withTemporaryFile<T>(
  path: string,
  content: string | Uint8Array,
  publish: (temporary: string) => T,
  outlastsPower = true,
): T {
  const temporary = temporaryPath(path);
  try {
    writeNewFile(temporary, content, outlastsPower);
    return publish(temporary);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeNewFile(path: string, content: string | Uint8Array, isSynced: boolean): void {
  const descriptor = openSync(path, "wx", 0o600);
  try {
    fchmodSync(descriptor, 0o600);
    writeFileSync(descriptor, content);
    if (isSynced) fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes the temporary files and folders of `path` whose processes no longer run. */
export function sweepTemporaryFiles(path: string): void {
  sweep(dirname(path), (name, owner) => name === basename(path) && !isRunning(owner));
}

/**
 * Removes all temporary files of `path`, also those of running processes. Call it only while holding the lock of the
 * file: a process that has lost the lock must not find its temporary file.
 */
export function sweepTemporaryFilesOfOthers(path: string): void {
  sweep(dirname(path), (name) => name === basename(path));
}

/**
 * Removes all temporary files and folders in a folder whose processes no longer run. A process in another container can
 * lose its file, because the numbers of processes differ there: it fails without harm, and can try again.
 */
export function sweepDeadTemporaryFiles(folder: string): void {
  sweep(folder, (_, owner) => !isRunning(owner));
}

function sweep(folder: string, isSwept: (name: string, owner: number) => boolean): void {
  for (const entry of readdirSync(folder)) {
    if (!entry.endsWith(SUFFIX)) continue;
    const name = entry.slice(0, -SUFFIX.length);
    const at = name.lastIndexOf(".");
    const owner = OWNER.exec(name.slice(at))?.[1];
    if (owner !== undefined && isSwept(name.slice(0, at), Number(owner))) {
      rmSync(join(folder, entry), { recursive: true, force: true });
    }
  }
}

/** Tells whether a process with this number runs, also as another user. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}

/** Puts the names in a folder on the disk, which syncing a file does not. */
export function syncFolder(folder: string): void {
  syncFile(folder);
}

/** Puts the content of a file on the disk. */
export function syncFile(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

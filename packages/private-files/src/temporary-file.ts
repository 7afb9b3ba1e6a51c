import { closeSync, fchmodSync, fsyncSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode } from "@autokestra/secrets-core/internal";

/** The process, and something random. */
const SUFFIX = /^\.(\d+)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.draft$/;

/** A name beside `path` for what is being made, which tells whose it is. */
export function temporaryPath(path: string): string {
  return `${path}.${process.pid}-${crypto.randomUUID()}.draft`;
}

/**
 * Writes a file beside `path` for `publish` to give it that name. It is whole, on the disk and has mode 0600 by then, whatever
 * the umask; if it still has its own name afterwards, it is removed.
 *
 * @param outlastsPower false: it may be lost, or be empty, after a loss of power, and is not put on the disk
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

/** Removes the temporary files of `path`, files and folders, whose processes no longer run. A living one keeps its own. */
export function sweepTemporaryFiles(path: string): void {
  sweep(dirname(path), (name, owner) => name === basename(path) && !isRunning(owner));
}

/**
 * Removes every temporary file of `path`, those of living processes too. Call it only with the lock held that is needed for replacing the
 * file: a process that has lost the lock must not find its temporary file.
 */
export function sweepTemporaryFilesOfOthers(path: string): void {
  sweep(dirname(path), (name) => name === basename(path));
}

/**
 * Removes temporary files of any name whose processes no longer run, files and folders. In another container the same number can be that of
 * another process: a living process there fails without harm, and can try again.
 */
export function sweepDeadTemporaryFiles(folder: string): void {
  sweep(folder, (_, owner) => !isRunning(owner));
}

function sweep(folder: string, isSwept: (name: string, owner: number) => boolean): void {
  for (const entry of readdirSync(folder)) {
    const at = entry.lastIndexOf(".", entry.length - ".draft".length - 1);
    const owner = SUFFIX.exec(entry.slice(at))?.[1];
    if (owner !== undefined && isSwept(entry.slice(0, at), Number(owner))) {
      rmSync(join(folder, entry), { recursive: true, force: true });
    }
  }
}

/** Whether there is a process of this number, be it of another user. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}

/** Puts the names in a folder on the disk: the fsync of a file does not. */
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

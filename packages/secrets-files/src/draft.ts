import { closeSync, fchmodSync, fsyncSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode } from "@autokestra/secrets-core";

/** The process, and something random. */
const SUFFIX = /^\.(\d+)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.draft$/;

/** A name beside `path` for what is being made, which tells whose it is. */
export function draftPath(path: string): string {
  return `${path}.${process.pid}-${crypto.randomUUID()}.draft`;
}

/**
 * Writes a file beside `path` for `publish` to give it that name. It is whole, on the disk and has mode 0600 by then, whatever
 * the umask; if it still has its own name afterwards, it is removed.
 */
export function withDraft<T>(path: string, content: string | Uint8Array, publish: (draft: string) => T): T {
  const draft = draftPath(path);
  try {
    writeNewFile(draft, content);
    return publish(draft);
  } finally {
    rmSync(draft, { force: true });
  }
}

function writeNewFile(path: string, content: string | Uint8Array): void {
  const descriptor = openSync(path, "wx", 0o600);
  try {
    fchmodSync(descriptor, 0o600);
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Removes the drafts of `path` that killed processes have left behind. Call it only where a living process can do without its
 * own: once the file that it wants to create is there, or while holding the lock that it needs for replacing.
 */
export function sweepDrafts(path: string): void {
  const folder = dirname(path);
  const name = basename(path);
  for (const entry of readdirSync(folder)) {
    if (entry.startsWith(name) && SUFFIX.test(entry.slice(name.length))) rmSync(join(folder, entry), { force: true });
  }
}

/**
 * Removes drafts of any name that processes have left which no longer run, files and folders. In another container the same
 * number can be that of another process: who lives on there must be able to do without its draft, or fail without harm.
 */
export function sweepDeadDrafts(folder: string): void {
  for (const entry of readdirSync(folder)) {
    const at = entry.lastIndexOf(".", entry.length - ".draft".length - 1);
    const owner = SUFFIX.exec(entry.slice(at))?.[1];
    if (owner !== undefined && !isRunning(Number(owner))) rmSync(join(folder, entry), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}

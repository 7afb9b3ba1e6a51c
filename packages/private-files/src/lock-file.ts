import { linkSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { errorCode } from "@autokestra/secrets-core/internal";
import { createLockFile } from "./atomic-file.ts";
import { isRunning, temporaryPath } from "./temporary-file.ts";

/**
 * The age after which a lock is taken over, in milliseconds. No work takes this long, so its process was stopped, or
 * has ended and another one has its number.
 */
const STALE_MS = 10_000;

/** The longest pause between two attempts, in milliseconds. */
const MAX_PAUSE = 20;

/**
 * Runs `work` while no other process, and no other caller in this one, holds the lock file `path`.lock. Takes over the
 * lock of a process that no longer runs. A process that was stopped for 10 s loses its lock, so call `isHeld` directly
 * before each change.
 *
 * @param waitMs how long to wait for the lock, in milliseconds
 * @returns what `work` returns; null if the lock was not free in time
 * @throws what `work` throws; an error of the file system if the lock file cannot be created
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { withLockFile } from "@autokestra/private-files";
 *
 * const path = join(mkdtempSync(join(tmpdir(), "demo-")), "state.json");
 * const outcome = await withLockFile(path, 1000, async () => {
 *   return await withLockFile(path, 0, async () => "a second one"); // the lock is taken
 * });
 * console.log(outcome); // prints null
 * ```
 */
export async function withLockFile<T>(
  path: string,
  waitMs: number,
  work: (isHeld: () => boolean) => Promise<T>,
): Promise<T | null> {
  const lock = `${path}.lock`;
  const owner = `${process.pid} ${crypto.randomUUID()}\n`;
  const giveUpAt = performance.now() + waitMs;
  while (!createLockFile(lock, owner)) {
    removeStale(lock);
    if (performance.now() >= giveUpAt) return null;
    await setTimeout(Math.random() * MAX_PAUSE);
  }
  const isHeld = () => ownerOf(lock) === owner;
  try {
    return await work(isHeld);
  } finally {
    if (isHeld()) rmSync(lock, { force: true });
  }
}

function ownerOf(lock: string): string | null {
  try {
    return readFileSync(lock, "utf8");
  } catch {
    return null;
  }
}

function removeStale(lock: string): void {
  const owner = ownerOf(lock);
  const madeAt = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
  if (owner === null || madeAt === undefined) return;
  // A lock file is created completely, so an empty one was left by a power failure.
  const isOwned = owner !== "" && isRunning(Number.parseInt(owner, 10));
  if (isOwned && Date.now() - madeAt < STALE_MS) return;
  const aside = temporaryPath(lock);
  try {
    renameSync(lock, aside);
    // Another process may have taken the lock over in the meantime. It gets its lock back.
    if (ownerOf(aside) !== owner) linkSync(aside, lock);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" && errorCode(error) !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

import { linkSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { errorCode } from "@autokestra/secrets-core/internal";
import { createLockFile } from "./atomic-file.ts";
import { isRunning, temporaryPath } from "./temporary-file.ts";

/** Nobody works so long with a lock held: an older one belongs to a process that was stopped, or whose number is in use again. */
const STALE_MS = 10_000;

/** Longest pause between two attempts, in milliseconds. */
const MAX_PAUSE = 20;

/**
 * Runs `work` while no other process, and no other caller in this one, holds the lock file `path`.lock. The lock of a process that
 * no longer runs is taken over. A process that was stopped for 10 s loses its lock, so `work` asks `isHeld` right before it changes
 * something.
 *
 * @param waitMs how long to wait for the lock
 * @returns what `work` returns; null where the lock was not free in time
 * @throws what `work` throws, or an error of the file system where no lock file can be made
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
  // A lock is never seen half written: an empty one was left by a loss of power.
  const isOwned = owner !== "" && isRunning(Number.parseInt(owner, 10));
  if (isOwned && Date.now() - madeAt < STALE_MS) return;
  const aside = temporaryPath(lock);
  try {
    renameSync(lock, aside);
    // Another process may have taken the lock over in between: it gets its own back.
    if (ownerOf(aside) !== owner) linkSync(aside, lock);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" && errorCode(error) !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

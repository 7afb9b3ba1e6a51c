import { mkdir, rmdir, rmdirSync, stat, utimes } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { systemReason } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, quotePath, storeUnavailable } from "@autokestra/secrets-core/internal";
import { lock } from "proper-lockfile";

// Node ignores this signal, and a write past a size limit is an error (EFBIG). But proper-lockfile listens to every signal, and
// ends the process where nobody else does.
process.on("SIGXFSZ", () => undefined);

/** Longest pause between two attempts, in milliseconds. */
const MAX_PAUSE = 20;

const OPTIONS = {
  // Shorter than the usual wait, so that the lock of a killed process is an annoyance and not an error. A process that was
  // only stopped for so long loses its lock; it notices before it writes.
  stale: 3000,
  onCompromised: () => undefined,
  // There may be no file to resolve yet.
  realpath: false,
  fs: {
    mkdir: (path: string, done: (error: Error | null) => void) => mkdir(path, 0o700, done),
    rmdir,
    rmdirSync,
    stat,
    utimes,
  },
};

/**
 * Does `work` while no other process, and no other opening of the store in this one, holds the lock `path`.lock.
 *
 * @param timeoutMs how long to wait for the lock
 * @throws AutokestraError `STORE_UNAVAILABLE` where the time is over or no lock can be made, or what `work` throws
 */
export async function withFileLock<T>(path: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const release = await attempt(path, async () => await acquire(path, timeoutMs));
  try {
    return await work();
  } finally {
    // The work is done or has failed, and its own outcome counts: a lock that stays behind goes stale.
    await release().catch(() => undefined);
  }
}

/** Asks at random moments: proper-lockfile itself backs off, and whoever has waited longest would ask least often. */
async function acquire(path: string, timeoutMs: number): Promise<() => Promise<void>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await lock(path, OPTIONS);
    } catch (error) {
      // ENOENT: another process took the lock for stale before it was complete.
      const code = errorCode(error);
      if (code !== "ELOCKED" && code !== "ENOENT") throw error;
      if (!(performance.now() < deadline)) throw code === "ELOCKED" ? locked(path) : error;
    }
    await setTimeout(Math.random() * MAX_PAUSE);
  }
}

function locked(path: string): Error {
  const hint = `If no autokestra is running, remove the folder ${quotePath(`${path}.lock`)}.`;
  return storeUnavailable(path, "another process keeps it locked", hint);
}

/** Does `work`, and throws what it throws as {@link toStoreError} makes it. */
export async function attempt<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStoreError(error, path);
  }
}

/** The error to throw for one of the file system: path, reason and code. An AutokestraError stays as it is. */
export function toStoreError(error: unknown, path: string): AutokestraError {
  if (error instanceof AutokestraError) return error;
  const reason = systemReason(error);
  return storeUnavailable(path, reason === null ? "unexpected failure" : `${reason} (${errorCode(error)})`);
}

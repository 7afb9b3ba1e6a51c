import { mkdir, rmdir, rmdirSync, stat, utimes } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { systemReason } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, quotePath, storeUnavailable } from "@autokestra/secrets-core/internal";

// Node ignores this signal, so that a write past a size limit is an error (EFBIG). But proper-lockfile ends the process with
// every signal that has no other listener.
process.on("SIGXFSZ", () => undefined);

/** The longest pause between two attempts, in milliseconds. */
const MAX_PAUSE = 20;

const OPTIONS = {
  // In milliseconds. Shorter than the default timeout, so that the lock of a killed process only delays the next one. A
  // process that was stopped for longer loses its lock, and notices that before it writes.
  stale: 3000,
  onCompromised: () => undefined,
  // The file may not exist yet.
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
 * Runs `work` while no other process, and no other opening of the store in this one, holds the lock `path`.lock.
 *
 * @param timeoutMs how long to wait for the lock, in milliseconds
 * @throws AutokestraError `STORE_UNAVAILABLE` if the lock is not free in time or cannot be made; what `work` throws
 */
export async function withFileLock<T>(path: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const release = await attempt(path, async () => await acquire(path, timeoutMs));
  try {
    return await work();
  } finally {
    // The outcome of `work` counts. A lock that cannot be removed becomes stale.
    await release().catch(() => undefined);
  }
}

/** Tries at random moments. The back-off of proper-lockfile would let those that wait longest try least often. */
async function acquire(path: string, timeoutMs: number): Promise<() => Promise<void>> {
  const deadline = performance.now() + timeoutMs;
  // Only now: reading needs no lock, and this loads a fourth of what a command that reads would load of Node.
  const { lock } = await import("proper-lockfile");
  for (;;) {
    try {
      return await lock(path, OPTIONS);
    } catch (error) {
      // ENOENT: another process has taken the lock for stale before it was complete.
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

/** Runs `work`, and converts its errors with {@link toStoreError}. */
export async function attempt<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStoreError(error, path);
  }
}

/** Converts an error of the file system into one with path, reason and code. Returns an AutokestraError unchanged. */
export function toStoreError(error: unknown, path: string): AutokestraError {
  if (error instanceof AutokestraError) return error;
  const reason = systemReason(error);
  return storeUnavailable(path, reason === null ? "unexpected failure" : `${reason} (${errorCode(error)})`);
}

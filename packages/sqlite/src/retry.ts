import { setTimeout } from "node:timers/promises";
import { errorCode } from "@autokestra/secrets-core";

/** Longest pause between two attempts, in milliseconds. */
const MAX_PAUSE = 5;

/**
 * Runs `attempt` again while another connection has the database locked, until it works or the time is over. SQLite's own
 * waiting backs off: whoever has waited longest then asks least often, and starves. Here everybody asks at random moments.
 *
 * @throws the error of the last attempt, or what else `attempt` throws
 */
export async function retryWhileBusy<T>(timeoutMs: number, attempt: () => T): Promise<T> {
  let deadline: number | null = null;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      const now = performance.now();
      deadline ??= now + timeoutMs;
      if (!isBusy(error) || !(now < deadline)) throw error;
    }
    await pause();
  }
}

/** Waits for a random moment. */
export async function pause(): Promise<void> {
  await setTimeout(Math.random() * MAX_PAUSE);
}

/** `SQLITE_BUSY` with all its kinds, or `SQLITE_PROTOCOL`: others were faster at each of SQLite's own attempts. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|PROTOCOL)/.test(errorCode(error));
}

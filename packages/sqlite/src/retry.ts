import { setTimeout } from "node:timers/promises";
import { errorCode } from "@autokestra/secrets-core/internal";

export interface RetryOptions {
  /** Returns when to give up, on the clock of `performance.now()`. Called after each attempt, so it can change. */
  readonly giveUpAt: () => number;
  /** The longest pause between two attempts, in milliseconds. Default: 5. */
  readonly maxPauseMs?: number | undefined;
}

/**
 * Repeats an attempt while another connection has the database locked. Waiting in SQLite would block the event loop,
 * and its back-off lets those that wait longest try least often. This tries at random moments.
 *
 * @throws the error of the last attempt; any other error of `attempt`
 */
export async function retryWhileBusy<T>(attempt: () => T, { giveUpAt, maxPauseMs }: RetryOptions): Promise<T> {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || !(giveUpAt() > performance.now())) throw error;
    }
    await pause(maxPauseMs);
  }
}

/**
 * Returns a {@link RetryOptions.giveUpAt} that counts from its first call, so that the first attempt needs no clock.
 */
export function deadlineAfter(milliseconds: number): () => number {
  let end: number | null = null;
  return () => {
    end ??= performance.now() + milliseconds;
    return end;
  };
}

/** Waits for a random time, in milliseconds up to the maximum. */
export async function pause(maxPauseMs = 5): Promise<void> {
  await setTimeout(Math.random() * maxPauseMs);
}

/** Tells whether an error means that others have the database locked: any `SQLITE_BUSY`, or `SQLITE_PROTOCOL`. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|PROTOCOL)/.test(errorCode(error));
}

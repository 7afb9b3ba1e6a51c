import { setTimeout } from "node:timers/promises";
import { errorCode } from "@autokestra/secrets-core/internal";

export interface RetryOptions {
  /** When to stop, as `performance.now()` counts. Asked after each attempt, so it may change meanwhile. */
  readonly giveUpAt: () => number;
  /** The longest pause between two attempts, in milliseconds. Default: 5. */
  readonly maxPauseMs?: number | undefined;
}

/**
 * Runs `attempt` again while another connection has the database locked. SQLite's own waiting blocks the event loop, and it backs
 * off: whoever has waited longest then asks least often, and starves. Here everybody asks at random moments.
 *
 * @throws the error of the last attempt, or what else `attempt` throws
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

/** So many milliseconds after the first look, for {@link RetryOptions.giveUpAt}: who meets nobody asks no clock. */
export function after(milliseconds: number): () => number {
  let end: number | null = null;
  return () => {
    end ??= performance.now() + milliseconds;
    return end;
  };
}

/** Waits for a random moment. */
export async function pause(maxPauseMs = 5): Promise<void> {
  await setTimeout(Math.random() * maxPauseMs);
}

/** `SQLITE_BUSY` with all its kinds, or `SQLITE_PROTOCOL`: others were faster at each of SQLite's own attempts. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|PROTOCOL)/.test(errorCode(error));
}

import { setTimeout } from "node:timers/promises";
import { isBusy } from "@autokestra/sqlite";

/** The longest pause between two attempts, in milliseconds. */
const MAX_PAUSE = 50;

/**
 * Runs `attempt` again while another connection has the database locked. SQLite's own timeout would block the event loop; here
 * only the caller waits. The pauses are random, so that no writer starves.
 *
 * @param giveUpAt when to stop, as `performance.now()` counts; called after each attempt
 * @throws the error of the last attempt
 */
export async function retryWhileLocked<T>(attempt: () => T, giveUpAt: () => number): Promise<T> {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= giveUpAt()) throw error;
    }
    await setTimeout(Math.random() * MAX_PAUSE);
  }
}

import { mock } from "node:test";

/** A clock that stands still. Create one with {@link startFakeClock}. */
export interface FakeClock {
  /** The time that `Date` and {@link FakeClock.advance} count from, in milliseconds. */
  readonly now: number;
  /** Advances the clock: timers run in their order, and promises that they resolve settle before the next timer. */
  advance(milliseconds: number): Promise<void>;
  /** Gives the real clock back. */
  stop(): void;
}

/**
 * Replaces the clock of this process in a test: `Date`, `setTimeout` and `setInterval`, so that an action that waits an hour is tested in
 * no time. Uses the timers of `node:test`, in any test framework. Call `stop` at the end.
 *
 * @param start the time at which it stands, as a date or in milliseconds. Default: 2026-01-01T00:00:00Z
 * @example
 * ```ts
 * import { defineAction, z } from "@autokestra/plugin-sdk";
 * import { runAction, startFakeClock } from "@autokestra/plugin-sdk/testing";
 *
 * const wait = defineAction({
 *   input: z.unknown(),
 *   run: async () => await new Promise<string>((resolve) => setTimeout(resolve, 3_600_000, "done")),
 * });
 * const clock = startFakeClock();
 * const running = runAction(wait, {});
 * await clock.advance(3_600_000);
 * console.log((await running).output); // prints done
 * clock.stop();
 * ```
 */
export function startFakeClock(start: Date | number = Date.UTC(2026, 0, 1)): FakeClock {
  const began = Number(start);
  let now = began;
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: began });
  return {
    get now() {
      return now;
    },
    async advance(milliseconds) {
      const end = now + milliseconds;
      await settle();
      // In steps, because a timer can start others once it has run.
      for (const step = Math.max(1, milliseconds / STEPS); now < end; ) {
        const next = Math.min(end, Math.ceil(now + step));
        mock.timers.tick(next - now);
        now = next;
        await settle();
      }
    },
    stop: () => mock.timers.reset(),
  };
}

const STEPS = 100;

/** Waits until all code that depends only on promises has run. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

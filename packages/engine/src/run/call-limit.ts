import pLimit, { type LimitFunction } from "p-limit";

/** The maximum number of called workflows of one run that go on at the same time, at each level of calls. */
const MAX_CALLS = 100;

/**
 * Bounds how many called workflows of one run go on at the same time: otherwise their number would be multiplied at each
 * level. Each level has a bound of its own, because a caller waits for those that it calls: it must not have what they
 * need.
 */
export class CallLimit {
  readonly #levels = new Map<number, LimitFunction>();

  /**
   * Runs a called workflow, as soon as there may be one more at its level.
   *
   * @param level of the caller, from 0
   * @returns null if the signal came before
   */
  async run<T>(level: number, signal: AbortSignal, work: () => Promise<T>): Promise<T | null> {
    const limit = this.#levels.get(level) ?? pLimit(MAX_CALLS);
    this.#levels.set(level, limit);
    return await new Promise<T | null>((resolve, reject) => {
      const leave = () => resolve(null);
      signal.addEventListener("abort", leave, { once: true });
      if (signal.aborted) return leave();
      limit(async () => {
        signal.removeEventListener("abort", leave);
        return signal.aborted ? null : await work();
      }).then(resolve, reject);
    });
  }
}

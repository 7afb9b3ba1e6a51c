import { setTimeout } from "node:timers/promises";

/** Only what never comes takes this long, on any machine. */
const PATIENCE_MS = 300_000;

/**
 * Waits until something is there.
 *
 * @param {() => unknown} isThere
 * @param {string} what
 */
export async function until(isThere, what) {
  for (const end = performance.now() + PATIENCE_MS; !(await isThere()); await setTimeout(5)) {
    if (performance.now() > end) throw new Error(`waited for ${what}`);
  }
}

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

/**
 * Measures several ways to do the same work against each other, in one run: interleaved, each first as often as the others,
 * CPU time of this process (user and system), median of the rounds. A round pays for its own garbage and for nobody else's.
 * Absolute figures differ from machine to machine; their ratios are what counts.
 *
 * @param {Readonly<Record<string, () => unknown>>} ways Each does the work once; may be async.
 * @param {{ rounds?: number, operations?: number, warmUp?: number, clock?: "cpu" | "wall" }} [options] `operations`: how often a
 * way is called in a round. `warmUp`: how many rounds are not counted, in which V8 optimises. `clock`: "wall" for what waits for
 * the disk.
 * @returns {Promise<Record<string, number>>} Microseconds per operation.
 */
export async function measure(ways, { rounds = 31, operations = 3000, warmUp = 3, clock = "cpu" } = {}) {
  const entries = Object.entries(ways);
  const samples = Object.fromEntries(entries.map(([name]) => [name, /** @type {number[]} */ ([])]));
  for (let round = -warmUp; round < rounds; round++) {
    for (const [name, work] of rotate(entries, Math.abs(round))) {
      const time = await measureRound(work, operations, clock);
      if (round >= 0) samples[name]?.push(time);
    }
  }
  return Object.fromEntries(Object.entries(samples).map(([name, times]) => [name, median(times)]));
}

/** @param {() => unknown} work @param {number} operations @param {"cpu" | "wall"} clock */
async function measureRound(work, operations, clock) {
  collect({ type: "minor" });
  const start = microseconds(clock);
  for (let index = 0; index < operations; index++) {
    const result = work();
    if (result instanceof Promise) await result;
  }
  collect({ type: "minor" });
  return (microseconds(clock) - start) / operations;
}

/** @param {"cpu" | "wall"} clock */
function microseconds(clock) {
  const { user, system } = process.cpuUsage();
  return clock === "cpu" ? user + system : performance.now() * 1000;
}

/** @template T @param {readonly T[]} list @param {number} by @returns {T[]} */
function rotate(list, by) {
  const first = by % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

/** @param {readonly number[]} samples */
function median(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

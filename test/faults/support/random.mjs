/** Of what is drawn here; `FAULTS_SEED` repeats a run as far as its moments can be repeated. */
export const SEED = Number(process.env["FAULTS_SEED"] ?? Date.now() % 2 ** 31);
// Of a script that runs itself again, in a namespace of its own, there is one seed.
process.env["FAULTS_SEED"] = String(SEED);

/** @typedef {() => number} Random From 0 up to 1. */

/**
 * The same numbers for the same seed (mulberry32).
 *
 * @param {number} seed
 * @returns {Random}
 */
export function createRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * One of them.
 *
 * @template T
 * @param {Random} random
 * @param {readonly T[]} items Not empty.
 * @returns {T}
 */
export function pick(random, items) {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("there is nothing to pick from");
  return item;
}

import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { maskBytes } from "../../packages/secrets-masker/dist/adapters/mask-bytes.js";
import { createRandom } from "./create-corpus.mjs";
import { createValues } from "./create-values.mjs";
import { createRules } from "./create-ways.mjs";
import { patternsOf } from "./measure-sets.mjs";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

const TEXT = Buffer.from("a text of a few words, for all is built when the first one is masked");

/** @typedef {{ patterns: number, milliseconds: number, oneMore: number, bytes: number }} BuildResult `oneMore`: µs to add one and mask. */

/**
 * What it takes until the first text is masked, and to keep. The forms are made before.
 *
 * @param {readonly number[]} counts
 * @returns {Promise<BuildResult[]>}
 */
export async function measureBuilds(counts) {
  // The compiler is warm when the first figure is taken.
  for (let turn = 0; turn < 20; turn++) await build(100);
  /** @type {BuildResult[]} */
  const middles = [];
  for (const patterns of counts) {
    /** @type {BuildResult[]} */
    const results = [];
    while (results.length < 5) results.push(await build(patterns));
    const middle = (/** @type {(result: BuildResult) => number} */ of) => results.map(of).sort((a, b) => a - b)[2] ?? 0;
    middles.push({
      patterns,
      milliseconds: middle(({ milliseconds }) => milliseconds),
      oneMore: middle(({ oneMore }) => oneMore),
      bytes: middle(({ bytes }) => bytes),
    });
  }
  return middles;
}

/** @param {number} count @returns {Promise<BuildResult>} */
async function build(count) {
  const values = createValues(Math.ceil(count / 20) + 1, createRandom(count));
  const all = patternsOf(values, true);
  const patterns = all.slice(0, count);
  const [more] = patternsOf(["one more value, for all the others"], false);
  // The first time, strings that were put together from others become one piece of memory each.
  createRules(patterns);
  const before = await memory();
  const start = process.cpuUsage();
  const rules = createRules(patterns);
  maskBytes(rules, TEXT);
  const milliseconds = cpuSince(start) / 1000;
  const bytes = (await memory()) - before;
  const again = process.cpuUsage();
  if (more !== undefined) rules.matcher.add(more, { name: "MORE", form: "value" });
  maskBytes(rules, TEXT);
  return { patterns: count, milliseconds, oneMore: cpuSince(again), bytes };
}

async function memory() {
  // The memory of arrays is given back a moment after they are collected.
  for (let turn = 0; turn < 3; turn++) {
    collect();
    await pause(20);
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** @param {NodeJS.CpuUsage} start */
function cpuSince(start) {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

import { createRandom, pick, randomText } from "./create-corpus.mjs";
import { createValues } from "./create-values.mjs";
import { createOurWays } from "./create-ways.mjs";
import { patternsOf } from "./measure-sets.mjs";
import { measureWays } from "./measure-ways.mjs";

const PREFIX = "arn:aws:secretsmanager:eu-west-1:";

/**
 * MB/s of bytes, for sets and texts that are hard on the way it searches.
 *
 * @param {string} log
 * @param {import("./measure-ways.mjs").Effort} effort
 */
export async function measureHardSets(log, effort) {
  const random = createRandom(7);
  const numbers = Array.from({ length: 10_000 }, (_, index) => String(4_000_000_000_000_000 + index));
  const prefixed = Array.from({ length: 1000 }, () => PREFIX + randomText(random, 20));
  const nested = Array.from({ length: 49 }, (_, index) => "a".repeat(16 + index));
  const hundred = createValues(100, random);
  const short = ["hunter2", "sesam", "P1Nc0de", "qwertz", "9021", "secret"];
  const words = short.map((text) => ({ text, before: "", after: "", wholeWord: true }));
  const raw = (/** @type {readonly string[]} */ values) => patternsOf(values, false);
  const coloured = log.replaceAll("\n", "\u001b[0m\n\u001b[32m");
  const zeros = Array.from(
    { length: log.length / 16 },
    () => "0".repeat(12) + pick(random, ["4000", "0040", "1000"]),
  ).join("");
  /** @type {[what: string, patterns: import("./create-ways.mjs").PatternText[], corpus: string][]} */
  const cases = [
    ["10 000 numbers in a row, in the log", raw(numbers), log],
    ["the same, in text full of zeros", raw(numbers), zeros],
    ["1 000 with one prefix of 33 characters, in the log", raw(prefixed), log],
    ["the same, in text full of the prefix", raw(prefixed), `${PREFIX}, `.repeat(log.length / 40)],
    ["a x 16 to a x 64, in text of nothing but a", raw(nested), "a".repeat(log.length)],
    ["100 values, in the log", raw(hundred), log],
    ["the same and one of 8 characters", raw([...hundred, "Zx81!qP_"]), log],
    ["the same and six of 4 to 7, as words", [...raw(hundred), ...words], log],
    ["100 values, in a log with colours in each line", raw(hundred), coloured],
  ];
  const ways = cases.map(([what, patterns, corpus]) => [what, { way: createOurWays(patterns).buffer, corpus }]);
  return await measureWays(Object.fromEntries(ways), effort);
}

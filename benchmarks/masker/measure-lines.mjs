import { measure } from "../measure.mjs";
import { createRandom } from "./create-corpus.mjs";
import { createValues } from "./create-values.mjs";
import { createOtherWays, createOurWays } from "./create-ways.mjs";
import { patternsOf } from "./measure-sets.mjs";

/**
 * Nanoseconds for one line of about 100 characters, with 100 values.
 *
 * @param {string} log
 * @param {number} rounds
 * @returns {Promise<Record<string, number>>}
 */
export async function measureLines(log, rounds) {
  const lines = log
    .slice(0, 2 ** 20)
    .split("\n")
    .filter(({ length }) => length > 80 && length < 130);
  const raw = patternsOf(createValues(100, createRandom(3)), false);
  const inForms = patternsOf(createValues(100, createRandom(3)), true);
  const ways = {
    "100 values": createOurWays(raw).string,
    "in all forms": createOurWays(inForms).string,
    "RegExp, 100 values": createOtherWays(raw)["regExp"],
  };
  const works = Object.entries(ways).map(([name, way]) => [
    name,
    () => {
      for (const line of lines) way?.mask(line);
    },
  ]);
  // So often that what the collection before each round has pushed out of the caches does not count.
  const times = await measure(Object.fromEntries(works), { rounds, operations: 20 });
  return Object.fromEntries(Object.entries(times).map(([name, time]) => [name, (1000 * time) / lines.length]));
}

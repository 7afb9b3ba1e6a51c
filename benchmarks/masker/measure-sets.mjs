import { variantsOf } from "../../packages/secrets-masker/dist/variants/variants.js";
import { checkWays } from "./check-ways.mjs";
import { createLog, createRandom, plant } from "./create-corpus.mjs";
import { createStructuredValues, createValues } from "./create-values.mjs";
import { createFloors, createOtherWays, createOurWays } from "./create-ways.mjs";
import { measureWays } from "./measure-ways.mjs";

const SEED = 20_261_122;

/** @typedef {[count: number, kind: "raw" | "in all forms" | "structured"]} SetSize "structured": in all forms, with their parts. */
/** @typedef {{ values: number, kind: SetSize[1], patterns: number, rates: Record<string, number> }} SetResult MB/s by way. */

/**
 * Every way with sets of secrets of several sizes, raw and in all forms.
 *
 * @param {{ sizes: readonly SetSize[], megabytes: number, effort: import("./measure-ways.mjs").Effort }} options
 * @returns {Promise<SetResult[]>}
 */
export async function measureSets({ sizes, megabytes, effort }) {
  const log = createCorpus(megabytes);
  /** @type {SetResult[]} */
  const results = [];
  for (const [count, kind] of sizes) {
    const create = kind === "structured" ? createStructuredValues : createValues;
    const values = create(count, createRandom(SEED + count));
    const patterns = patternsOf(values, kind !== "raw");
    const withHits = plant(log, values, createRandom(SEED));
    const [ours, others] = [createOurWays(patterns), createOtherWays(patterns)];
    const floors = Object.entries(createFloors(patterns));
    // Whole pieces of the log around planted values.
    checkWays({ ...ours, ...others }, patterns, withHits.slice(0, count > 100 ? 16_384 : 131_072));
    const rates = await measureWays(
      {
        memcpy: { way: createMemcpy(log.length), corpus: log },
        buffer: { way: ours.buffer, corpus: log },
        "buffer, hits": { way: ours.buffer, corpus: withHits },
        string: { way: ours.string, corpus: log },
        "string, hits": { way: ours.string, corpus: withHits },
        stream: { way: ours.stream, corpus: log },
        "stream, hits": { way: ours.stream, corpus: withHits },
        owned: { way: ours.owned, corpus: log },
        "owned, hits": { way: ours["owned, hits"], corpus: withHits },
        ...Object.fromEntries(
          [...floors, ...Object.entries(others)].map(([name, way]) => [name, { way, corpus: log }]),
        ),
      },
      effort,
    );
    results.push({ values: count, kind, patterns: patterns.length, rates });
    console.error(`  ${count} values${kind === "raw" ? "" : ` ${kind}`}: done`);
  }
  return results;
}

/** One piece of 4 MB after the other, each begun elsewhere. @param {number} megabytes */
export function createCorpus(megabytes) {
  const random = createRandom(SEED);
  const piece = createLog(Math.min(4, megabytes) * 2 ** 20, random);
  return Array.from({ length: Math.ceil(megabytes / 4) }, () => {
    const at = Math.floor(random() * piece.length);
    return piece.slice(at) + piece.slice(0, at);
  }).join("");
}

/**
 * @param {readonly string[]} values
 * @param {boolean} withForms
 * @returns {import("./create-ways.mjs").PatternText[]}
 */
export function patternsOf(values, withForms) {
  if (!withForms) return values.map((text) => ({ text, before: "", after: "", wholeWord: false }));
  const byText = new Map(values.flatMap((value) => variantsOf(value)).map((found) => [found.text, found]));
  return [...byText.values()];
}

/** Copies chunk by chunk into an array as large as the corpus. @param {number} size @returns {import("./create-ways.mjs").Way} */
function createMemcpy(size) {
  const target = new Uint8Array(size);
  let at = 0;
  return {
    kind: "bytes",
    mask: (chunk) => {
      if (at + chunk.length > size) at = 0;
      target.set(chunk, at);
      at += chunk.length;
    },
  };
}

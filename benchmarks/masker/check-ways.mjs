import { referenceMask } from "../../packages/secrets-masker/test/reference-mask.mjs";
import { PLACEHOLDER } from "./create-ways.mjs";

/** @typedef {import("./create-ways.mjs").Way} Way */

/**
 * Who does not what the slow reference does is not measured.
 *
 * @param {Readonly<Record<string, Way>>} ways
 * @param {readonly import("./create-ways.mjs").PatternText[]} patterns
 * @param {string} sample In ASCII.
 */
export function checkWays(ways, patterns, sample) {
  const named = patterns.map((pattern) => ({ ...pattern, name: "SECRET" }));
  const placeholder = { text: PLACEHOLDER, before: "", after: "", wholeWord: false, name: null };
  const { text } = referenceMask(sample, [placeholder, ...named], PLACEHOLDER);
  for (const [name, { kind, mask, holdsBack }] of Object.entries(ways)) {
    const output = mask(kind === "text" ? sample : Buffer.from(sample));
    const masked = typeof output === "string" ? output : Buffer.from(/** @type {Uint8Array} */ (output)).toString();
    if (holdsBack ? !text.startsWith(masked) || masked.length < text.length - 500 : masked !== text) {
      throw new Error(`${name} with ${patterns.length} patterns does not mask as the reference does`);
    }
  }
}

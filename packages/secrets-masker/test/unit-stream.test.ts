import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMatcher } from "../src/matcher.ts";
import { createTally } from "../src/tally.ts";
import { createUnitStream, type MaskRules, maskUnits } from "../src/unit-stream.ts";
import { type ReferencePattern, referenceMask } from "./reference-mask.ts";

const PLACEHOLDER = "*ab*";

/** Few letters, so that patterns overlap, touch, nest and repeat; the placeholder is made of the same ones. */
const units = (min: number, max: number) =>
  fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: min, maxLength: max });

const neighbour = fc.constantFrom("", "", "a", "b", "ab");
const secret = fc.record({
  text: units(4, 12),
  before: neighbour,
  after: neighbour,
  wholeWord: fc.boolean(),
  name: fc.constantFrom("ONE", "TWO"),
});

/** A placeholder and up to 6 patterns with different texts. */
const patterns: fc.Arbitrary<readonly ReferencePattern[]> = fc
  .uniqueArray(secret, { maxLength: 6, selector: ({ text }) => text })
  .map((secrets) => [
    { text: PLACEHOLDER, before: "", after: "", wholeWord: false, name: null },
    ...secrets.filter(({ text }) => text !== PLACEHOLDER),
  ]);

/** Escapes, behind which a word may begin. One is too long for that, and one is none. */
const prefix = fc.constantFrom(
  "\\a",
  "\\b",
  "%ab",
  "\\xba",
  "\\uabab",
  "\u001b[a",
  "\u001b[12;34;567b",
  "\u001b[12;34;5678b",
  "\\ub",
);

/** Patterns, and a text that is made of pieces of them. */
const cases = patterns.chain((all) => {
  const own = fc.constantFrom(...all.map(({ text }) => text));
  const piece = fc.oneof(
    own,
    own.chain((text) => fc.nat(text.length).map((end) => text.slice(0, end))),
    prefix,
    fc.tuple(prefix, own).map((parts) => parts.join("")),
    units(0, 5),
  );
  return fc.record({ all: fc.constant(all), pieces: fc.array(piece, { maxLength: 12 }) });
});

function rulesFor(all: readonly ReferencePattern[]): MaskRules {
  const matcher = createMatcher();
  for (const { name, ...pattern } of all) matcher.add(pattern, name === null ? null : { name, form: "value" });
  return { matcher, placeholder: PLACEHOLDER, tally: createTally() };
}

function countsOf(rules: MaskRules): Record<string, number> {
  return Object.fromEntries(Object.entries(rules.tally.report()).map(([name, { count }]) => [name, count]));
}

describe("the masked text is that of the slow reference", () => {
  it("for a whole text", () => {
    fc.assert(
      fc.property(cases, ({ all, pieces }) => {
        const rules = rulesFor(all);
        const expected = referenceMask(pieces.join(""), all, PLACEHOLDER);
        expect(maskUnits(rules, pieces.join(""))).toBe(expected.text);
        expect(countsOf(rules)).toEqual(expected.counts);
      }),
      { numRuns: 3000 },
    );
  });

  it("for any pieces of it", () => {
    fc.assert(
      fc.property(cases, fc.boolean(), ({ all, pieces }, single) => {
        const rules = rulesFor(all);
        const expected = referenceMask(pieces.join(""), all, PLACEHOLDER, true);
        const stream = createUnitStream(rules);
        const parts = single ? pieces.join("").split("") : pieces;
        expect(parts.map((part) => stream.push(part)).join("") + stream.flush()).toBe(expected.text);
        expect(countsOf(rules)).toEqual(expected.counts);
      }),
      { numRuns: 3000 },
    );
  });
});

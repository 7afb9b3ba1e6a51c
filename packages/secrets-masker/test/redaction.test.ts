import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maskBytes, maskText } from "../src/adapters/mask-bytes.ts";
import { createMaskStream } from "../src/adapters/mask-stream.ts";
import { encodeText } from "../src/search/haystack.ts";
import { Matcher } from "../src/search/matcher.ts";
import type { MaskRules } from "../src/search/search.ts";
import { createTally } from "../src/search/tally.ts";
import { type ReferencePattern, referenceMask } from "./reference-mask.mjs";

/** As often as `npm run faults` does it. */
const LONG = process.env["LONG_TESTS"] === "true";

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
  const matcher = new Matcher();
  for (const { name, ...pattern } of all) if (name !== null) matcher.add(pattern, { name, variant: "value" });
  return { matcher, placeholder: encodeText(PLACEHOLDER), tally: createTally() };
}

function countsOf(rules: MaskRules): Record<string, number> {
  return Object.fromEntries(Object.entries(rules.tally.report()).map(([name, { count }]) => [name, count]));
}

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("the masked text is that of the slow reference", () => {
  it("for a whole text, and for its bytes", () => {
    fc.assert(
      fc.property(cases, ({ all, pieces }) => {
        const [inText, inBytes] = [rulesFor(all), rulesFor(all)];
        const expected = referenceMask(pieces.join(""), all, PLACEHOLDER);
        expect(maskText(inText, pieces.join(""))).toBe(expected.text);
        expect(countsOf(inText)).toEqual(expected.counts);
        expect(decode(maskBytes(inBytes, encode(pieces.join(""))))).toBe(expected.text);
        expect(countsOf(inBytes)).toEqual(expected.counts);
      }),
      { numRuns: LONG ? 3000 : 300 },
    );
  });

  it("for any pieces of it", () => {
    fc.assert(
      fc.property(cases, fc.boolean(), ({ all, pieces }, single) => {
        const rules = rulesFor(all);
        const expected = referenceMask(pieces.join(""), all, PLACEHOLDER, true);
        const stream = createMaskStream(rules);
        const parts = single ? pieces.join("").split("") : pieces;
        expect(parts.map((part) => decode(stream.push(encode(part)))).join("") + decode(stream.flush())).toBe(
          expected.text,
        );
        expect(countsOf(rules)).toEqual(expected.counts);
      }),
      { numRuns: LONG ? 3000 : 300 },
    );
  });

  it("for long and many patterns, some of them added late, in and out of ASCII", () => {
    const letters = fc.constantFrom(["a", "b"], ["a", "b", "c", "d", "e"], ["a", "é", "ж", "1"]);
    const many = letters.chain((alphabet) => {
      const letter = fc.constantFrom(...alphabet);
      const text = fc.oneof(
        fc.string({ unit: letter, minLength: 4, maxLength: 30 }),
        fc.string({ unit: letter, minLength: 30, maxLength: 300 }),
      );
      const texts = fc.uniqueArray(text, { minLength: 1, maxLength: 80 });
      return texts.chain((all) =>
        fc.record({
          all: fc.constant(all),
          late: fc.nat(all.length),
          again: fc.array(fc.record({ text: fc.constantFrom(...all), before: neighbour, after: neighbour }), {
            maxLength: 20,
          }),
          pieces: fc.array(fc.oneof(fc.constantFrom(...all), fc.string({ unit: letter, maxLength: 40 })), {
            maxLength: 12,
          }),
          cut: fc.integer({ min: 1, max: 90 }),
        }),
      );
    });
    fc.assert(
      fc.property(many, ({ all, late, again, pieces, cut }) => {
        const first = all.map((text) => ({ text, before: "", after: "", wholeWord: false, name: "ONE" }));
        const more = again.map((pattern) => ({ ...pattern, wholeWord: false, name: "ONE" }));
        const rules = rulesFor(first.slice(0, late));
        const stream = createMaskStream(rules);
        maskText(rules, "the filter is built by now, for those that are there");
        stream.push(encode("--"));
        for (const { name, ...pattern } of [...first.slice(late), ...more]) {
          rules.matcher.add(pattern, { name, variant: "value" });
          if (pattern.text.length % 3 === 0) maskText(rules, "and follows each that is added");
        }
        const secrets = first.map((pattern) => {
          const same = more.filter(({ text }) => text === pattern.text);
          const unitsOf = (side: "before" | "after") => same.map((other) => other[side]).join("");
          return { ...pattern, before: unitsOf("before"), after: unitsOf("after") };
        });
        const text = pieces.join("");
        const placeholder = { text: PLACEHOLDER, before: "", after: "", wholeWord: false, name: null };
        const expected = referenceMask(text, [placeholder, ...secrets], PLACEHOLDER);
        expect(maskText(rules, text)).toBe(expected.text);
        const bytes = encode(`${text}!`);
        const parts = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, index) =>
          stream.push(bytes.slice(index * cut, (index + 1) * cut)),
        );
        expect(decode(Buffer.concat([...parts, stream.flush()]))).toBe(`${expected.text}!`);
      }),
      { numRuns: LONG ? 500 : 50 },
    );
  });

  it("for each of 2000 patterns, half of which are added late", () => {
    const all = Array.from({ length: 2000 }, (_, index) => ({
      text: `${index * 7919}-${index * 104_729}`.padStart(20, "pattern "),
      before: "",
      after: "",
      wholeWord: false,
      name: "ONE",
    }));
    const rules = rulesFor(all.slice(0, 1000));
    maskText(rules, "the filter is built by now, for those that are there");
    for (const { name, ...pattern } of all.slice(1000)) rules.matcher.add(pattern, { name, variant: "value" });
    const text = all.map((pattern) => pattern.text).join(" ");
    expect(maskText(rules, text)).toBe(all.map(() => PLACEHOLDER).join(" "));
    expect(decode(maskBytes(rules, encode(text)))).toBe(all.map(() => PLACEHOLDER).join(" "));
    expect(countsOf(rules)).toEqual({ ONE: 4000 });
  });

  it("for a pattern inside a longer one that gets a neighbour once the filter is built", () => {
    const inner = { text: "a".repeat(16), before: "", after: "", wholeWord: false, name: "ONE" };
    const outer = { ...inner, text: "a".repeat(20) };
    const rules = rulesFor([inner, outer]);
    expect(maskText(rules, `<${outer.text}>`)).toBe(`<${PLACEHOLDER}>`);
    const { name: _, ...again } = { ...inner, before: "<" };
    rules.matcher.add(again, { name: "ONE", variant: "value" });
    expect(maskText(rules, `<${outer.text}>`)).toBe(
      referenceMask(`<${outer.text}>`, [outer, { ...inner, before: "<" }], PLACEHOLDER).text,
    );
  });
});

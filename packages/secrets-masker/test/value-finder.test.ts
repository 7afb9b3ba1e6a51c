import fc from "fast-check";
import { expect, it } from "vitest";
import { createValueFinder } from "../src/index.ts";

const letter = fc.constantFrom("a", "b", "é", "-");
const value = fc.string({ unit: letter, minLength: 4, maxLength: 12 });

it("finds what `includes` finds, in the order of the values", () => {
  const texts = fc.array(fc.array(fc.oneof(value, letter), { maxLength: 20 }).map((pieces) => pieces.join("")));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 40 }), fc.array(value, { maxLength: 10 }), texts, (early, late, all) => {
      const finder = createValueFinder();
      for (const each of early) finder.add(each);
      finder.find(all);
      for (const each of late) finder.add(each);
      const known = [...new Set([...early, ...late])];
      expect(finder.find(all)).toEqual(known.filter((each) => all.some((text) => text.includes(each))));
      finder.clear();
      expect(finder.find(all)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

it("finds a value that lies across what is searched at a time", () => {
  const finder = createValueFinder();
  finder.add("the-value");
  for (const before of [65_530, 65_536, 131_070]) {
    expect(finder.find([`${" ".repeat(before)}the-value and more`])).toEqual(["the-value"]);
  }
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeFields } from "../src/encode-fields.ts";

const field = fc.oneof(fc.string({ unit: "grapheme", maxLength: 5 }), fc.constant(null), fc.nat());

it("gives different lists different bytes", () => {
  fc.assert(
    fc.property(fc.array(field), fc.array(field), (one, two) => {
      const same = JSON.stringify(one.map(asText)) === JSON.stringify(two.map(asText));
      expect(encodeFields(one).equals(encodeFields(two))).toBe(same);
    }),
  );
});

function asText(value: string | number | null): string | null {
  return value === null ? null : String(value);
}

it.each([
  [
    ["ab", "c"],
    ["a", "bc"],
  ],
  [["a", ""], ["a"]],
  [[null], [""]],
  [["a\u0000"], ["a", null]],
])("tells %j from %j", (one, two) => {
  expect(encodeFields(one).equals(encodeFields(two))).toBe(false);
});

it("has the documented layout", () => {
  expect(encodeFields(["ü", null, 7]).toString("hex")).toBe("00000002c3bcffffffff0000000137");
});

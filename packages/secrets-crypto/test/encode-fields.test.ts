import fc from "fast-check";
import { expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { createFieldEncoder, encodeFields } from "../src/encode-fields.ts";

const field = fc.oneof(fc.string({ unit: "grapheme", maxLength: 5 }), fc.constant(null), fc.nat());
const longField = fc.oneof(field, fc.string({ unit: anyCharacter, minLength: 300, maxLength: 3000 }));

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

/** The layout as docs/FORMAT.md has it, one field after the other. */
function encodeSlowly(fields: readonly (string | number | null)[]): Buffer {
  const parts = fields.flatMap((value) => {
    const text = Buffer.from(asText(value) ?? "");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value === null ? 0xffffffff : text.length);
    return [length, text];
  });
  return Buffer.concat(parts);
}

it("has that layout for lists of any length", () => {
  fc.assert(
    fc.property(fc.array(longField), (fields) => {
      expect(encodeFields(fields).equals(encodeSlowly(fields))).toBe(true);
    }),
  );
});

it("gives the same bytes where the first fields are encoded once", () => {
  fc.assert(
    fc.property(fc.array(longField), fc.array(fc.array(longField)), (head, lists) => {
      const encode = createFieldEncoder(head);
      for (const list of lists) expect(encode(list).equals(encodeSlowly([...head, ...list]))).toBe(true);
    }),
  );
});

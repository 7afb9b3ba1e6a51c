import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { createMasker } from "../src/index.ts";

/** As often as `npm run faults` does it. */
const LONG = process.env["LONG_TESTS"] === "true";

const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array));
const secret = fc
  .string({ unit: anyCharacter, minLength: 8, maxLength: 40 })
  .map((text) => text.trim())
  .filter((text) => text.length >= 8);

describe.each([
  ["base64", "utf8"],
  ["base64url", "utf8"],
  ["base64", "utf16le"],
] as const)("M7: %s of a value in %s between any bytes", (encoding, characters) => {
  it("leaves only characters that have no bit of the value", () => {
    fc.assert(
      fc.property(bytes, secret, bytes, (before, value, after) => {
        const own = Buffer.from(value, characters);
        const text = Buffer.concat([before, own, after]).toString(encoding);
        const masked = createMasker([value], { placeholder: "*" }).mask(text);
        const [left = "", right = "", ...more] = masked.split("*");
        expect(more).toEqual([]);
        expect(text.startsWith(left) && text.endsWith(right)).toBe(true);
        expect(left.length * 6).toBeLessThanOrEqual(before.length * 8);
        const encodedRight = right.replaceAll("=", "");
        const encodedBits = text.replaceAll("=", "").length * 6;
        expect(encodedBits - encodedRight.length * 6).toBeGreaterThanOrEqual((before.length + own.length) * 8);
      }),
      { numRuns: LONG ? 300 : 40 },
    );
  });
});

it.each([
  ["", "***SECRET***"],
  ["u", "d***SECRET***"],
  ["u:", "dT***SECRET***"],
  ["us:", "dXM6***SECRET***"],
])("M11: credentials that end with the value lose the padding with it: %j", (before, masked) => {
  expect(createMasker(["correct horse"]).mask(`Basic ${btoa(`${before}correct horse`)}`)).toBe(`Basic ${masked}`);
});

import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";

const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array));
const secret = fc.string({ unit: "binary", minLength: 8, maxLength: 40 }).filter((text) => text.trim().length >= 8);

describe.each(["base64", "base64url"] as const)("%s of a value between any bytes", (encoding) => {
  it("leaves only characters that have no bit of the value", () => {
    fc.assert(
      fc.property(bytes, secret, bytes, (before, value, after) => {
        const text = Buffer.concat([before, Buffer.from(value), after]).toString(encoding);
        const masked = createMasker([value], { placeholder: "*" }).mask(text);
        const [left = "", right = "", ...more] = masked.split("*");
        expect(more).toEqual([]);
        expect(text.startsWith(left) && text.endsWith(right)).toBe(true);
        expect(left.length * 6).toBeLessThanOrEqual(before.length * 8);
        const encodedRight = right.replaceAll("=", "");
        const encodedBits = text.replaceAll("=", "").length * 6;
        expect(encodedBits - encodedRight.length * 6).toBeGreaterThanOrEqual(
          (before.length + Buffer.from(value).length) * 8,
        );
      }),
      { numRuns: 1000 },
    );
  });
});

it.each([
  ["", "***SECRET***"],
  ["u", "d***SECRET***"],
  ["u:", "dT***SECRET***"],
  ["us:", "dXM6***SECRET***"],
])("credentials that end with the value lose the padding with it: %j", (before, masked) => {
  expect(createMasker(["correct horse"]).mask(`Basic ${btoa(`${before}correct horse`)}`)).toBe(`Basic ${masked}`);
});

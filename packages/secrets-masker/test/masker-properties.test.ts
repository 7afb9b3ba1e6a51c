import fc from "fast-check";
import { expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { MULTI_LINE, NASTY, TOKEN } from "./sample-values.ts";

/** As often as `npm run faults` does it. */
const LONG = process.env["LONG_TESTS"] === "true";

const values = fc.array(
  fc.constantFrom(TOKEN, NASTY, MULTI_LINE, "sesam", "äöüß", "abcdefgh", "efghabcd", "abcdefghijkl"),
  {
    minLength: 1,
  },
);
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(TOKEN, NASTY, MULTI_LINE, "sesam", "äöüß", "abcdefgh", "efghabcd", " ", "***SECRET***"),
      fc.constantFrom("\\n", "\\u0022", "\\x22", "%20", "\u001b[31m"),
      fc.string(),
    ),
  )
  .map((pieces) => pieces.join(""));

it("no value of 8 characters or more remains", () => {
  fc.assert(
    fc.property(values, text, (known, input) => {
      const output = createMasker(known).mask(input);
      for (const value of known) if (value.length >= 8) expect(output).not.toContain(value);
    }),
    { numRuns: LONG ? 100 : 20 },
  );
});

it("masking twice is masking once", () => {
  fc.assert(
    fc.property(values, text, (known, input) => {
      const masker = createMasker(known.filter((value) => value.length >= 8));
      expect(masker.mask(masker.mask(input))).toBe(masker.mask(input));
    }),
    { numRuns: LONG ? 100 : 20 },
  );
});

it("bytes are masked like text", () => {
  fc.assert(
    fc.property(values, text, (known, input) => {
      const masker = createMasker(known);
      const bytes = masker.maskValue(new TextEncoder().encode(input)) as Uint8Array;
      expect(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)).toBe(masker.mask(input));
    }),
    { numRuns: LONG ? 100 : 20 },
  );
});

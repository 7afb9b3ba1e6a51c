import { Buffer } from "node:buffer";
import { inspect } from "node:util";
import fc from "fast-check";
import { expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { createMasker, type Masker } from "../src/index.ts";

/** As often as `npm run faults` does it. */
const LONG = process.env["LONG_TESTS"] === "true";

const P = "***SECRET***";

/** Much of what encoders escape, and what takes several units or bytes. */
const character = fc.oneof(
  fc.constantFrom(...Array.from(`"'\\\`$&<>%+/=~!*()[]{}#?;:,|^@ \t\n\r\u0007\u001b\u007f\u0085\u00a0\u2028ö€🔑`)),
  fc.constantFrom("a", "Z", "7", "\ud83d", "\u200b"),
  fc.string({ unit: anyCharacter, minLength: 1, maxLength: 1 }),
);
const value = fc
  .array(character, { minLength: 8, maxLength: 60 })
  .map((characters) => characters.join("").trim())
  .filter((text) => text.length >= 8);

/** All forms are tried with the same values, and what a masker has masked before changes nothing but its report. */
const maskers = new Map<string, Masker>();

function maskerOf(text: string): Masker {
  const masker = maskers.get(text) ?? createMasker([text]);
  maskers.set(text, masker);
  return masker;
}

it.each<[string, (text: string) => string]>([
  ["as it is", (text) => text],
  ["JSON", (text) => JSON.stringify(text).slice(1, -1)],
  ["JSON three times", (text) => JSON.stringify(JSON.stringify(JSON.stringify(text))).slice(7, -7)],
  ["percent", (text) => encodeURIComponent(text.toWellFormed())],
  ["a form", (text) => new URLSearchParams([["", text]]).toString().slice(1)],
  ["the query of a URL", (text) => new URL(`http://h/?${encodeURIComponent(text.toWellFormed())}`).search.slice(1)],
  ["base64", (text) => Buffer.from(text).toString("base64")],
  ["base64url", (text) => Buffer.from(text).toString("base64url")],
  ["base64 of UTF-16", (text) => Buffer.from(text, "utf16le").toString("base64").replaceAll("=", "")],
  ["hex", (text) => Buffer.from(text).toString("hex")],
  ["a list of bytes", (text) => Array.from(Buffer.from(text)).join(",")],
  ["util.inspect", (text) => inspect(text, { breakLength: Infinity }).slice(1, -1)],
  ["a word for sh", (text) => text.replaceAll("'", `'\\''`)],
  ["an argument of a program", (text) => text.replace(/["\\$`]/g, (sign) => `\\${sign}`)],
])("M7: any value is nothing but a placeholder in any form: %s", (_, encode) => {
  fc.assert(
    fc.property(value, (text) => {
      expect(maskerOf(text).mask(encode(text))).toBe(P);
    }),
    { numRuns: LONG ? 200 : 30 },
  );
});

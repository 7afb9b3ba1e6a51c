import { sampleSecret } from "@autokestra/secrets-core/testing";
import { assert, property } from "fast-check";
import { expect, it } from "vitest";
import { anySealedSecret } from "../../secrets-core/test/any-sealed-secret.ts";
import { formatEntry, parseEntry } from "../src/secret-entry.ts";

it("what becomes an entry comes back from JSON, to the byte", () => {
  assert(
    property(anySealedSecret, (secret) => {
      expect(parseEntry(JSON.parse(JSON.stringify(formatEntry(secret))))).toEqual(secret);
    }),
  );
});

it("a view into a larger buffer is written without what lies around it", () => {
  const { metadata, envelope } = sampleSecret("A");
  const ciphertext = Buffer.from("before, ciphertext, after").subarray(8, 18);
  const entry = formatEntry({ metadata, envelope: { ...envelope, ciphertext } });
  expect(entry).toMatchObject({ envelope: { ciphertext: Buffer.from("ciphertext").toString("base64") } });
});

it.each([
  ["a character that is none of base64", "AAAA#AAA"],
  ["a space", "AAAA AAAA"],
  ["a newline at the end", "AAAA\n"],
  ["no padding", "AA"],
  ["too much padding", "AAAA===="],
  ["text after the padding", "AA==AAAA"],
  ["bits that do not count", "AB=="],
  ["base64url", "-_-_"],
  ["a number", 7],
  ["a list of bytes", [1, 2, 3]],
  ["null", null],
])("%s is not read as bytes", (_, ciphertext) => {
  const entry = formatEntry(sampleSecret("A")) as { envelope: object };
  expect(parseEntry({ ...entry, envelope: { ...entry.envelope, ciphertext } })).toBe(null);
});

it.each([[null], ["A"], [7], [[]], [{}]])("%j is no entry", (value) => {
  expect(parseEntry(value)).toBe(null);
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMasker, maskedParts } from "../src/index.ts";
import { streamedInAllWays } from "./leaks.ts";
import structured from "./structured-values.json" with { type: "json" };
import vectors from "./vectors/masked-parts.json" with { type: "json" };

/** As often as `npm run faults` does it. */
const LONG = process.env["LONG_TESTS"] === "true";

const P = "***SECRET***";
const ROWS = [...vectors.rows, ...structured];

/** As a word in a log: alone, in a sentence, between quotes, behind `=`. */
const logsWith = (text: string) => [text, `- ${text} -`, `got "${text}", done`, `x=${text}\n`];

describe.each(ROWS)("KM2: $value", ({ value, masks, shows }) => {
  const masker = createMasker([value]);

  it("masks each secret part, also in JSON and in base64", () => {
    for (const text of masks) {
      for (const log of logsWith(text)) {
        expect(masker.mask(log)).not.toContain(text);
        expect(masker.mask(JSON.stringify(log))).not.toContain(JSON.stringify(text).slice(1, -1));
      }
      // A line alone has no encoded forms, and the request of a URL those of its parts.
      if (text.length >= 8 && !/^MII|[/&]/.test(text)) expect(masker.mask(btoa(text))).toBe(P);
    }
  });

  it("shows the ordinary words beside them", () => {
    for (const text of shows) for (const log of logsWith(text)) expect(masker.mask(log)).toBe(log);
  });

  it("says which kinds are masked, and no text", () => {
    const told = JSON.stringify(maskedParts(value));
    for (const text of masks.filter((each) => each.length > 4)) expect(told).not.toContain(text);
  });
});

it("KM2: a backslash between doubled quotes escapes nothing", () => {
  const inner = JSON.stringify({ auth: 'Server=localhost;Token="A1zaaaaaaaa";Encrypt=True' });
  for (const quote of ['"', "'"]) {
    const quoted = `${quote}${inner.replaceAll(quote, quote + quote)}${quote}`;
    const masker = createMasker([`Server=localhost;Token=${quoted};Encrypt=True`]);
    expect(masker.mask("a A1zaaaaaaaa b localhost")).toBe(`a ${P} b localhost`);
  }
});

it("KM2: parts of parts are masked, however they are nested", () => {
  const wrap = fc.constantFrom<(text: string) => string>(
    (text) => JSON.stringify({ auth: text, host: "localhost" }),
    (text) => JSON.stringify([{ name: "DB_TOKEN", value: text }]),
    (text) => `https://h.example.test/in?token=${encodeURIComponent(text)}&page=2`,
    (text) => `https://h.example.test/in/${encodeURIComponent(`key=${text}`)}`,
    (text) => `Basic ${Buffer.from(`alice:${text}`).toString("base64")}`,
    (text) => `<s><username>dave</username><token>${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</token></s>`,
    (text) => `sid=1; session_token=${encodeURIComponent(text)}`,
    (text) => `Server=localhost;Token="${text.replaceAll('"', '""')}";Encrypt=True`,
    (text) => JSON.stringify(text),
    (text) => Buffer.from(text).toString("base64"),
  );
  const inner = fc.string({ minLength: 8, maxLength: 24, unit: fc.constantFrom(...Array.from("abcXYZ0189_")) });
  const settings = (text: string) => `DB_HOST=localhost\nAPI_TOKEN=${text}\nNODE_ENV=production`;
  fc.assert(
    fc.property(inner, fc.array(wrap, { maxLength: 3 }), (random, wraps) => {
      const text = `A1z${random}`;
      const masker = createMasker([settings(wraps.reduce((all, each) => each(all), text))]);
      expect(masker.mask(`a ${text} b`)).toBe(`a ${P} b`);
      for (const word of ["localhost", "production", "alice", "dave"]) {
        expect(masker.mask(`x ${word} y`)).toBe(`x ${word} y`);
      }
    }),
    { numRuns: LONG ? 100 : 20 },
  );
});

it("KM2: any value is read without an error, and in a stream its parts are masked alike", () => {
  const pieces = fc.constantFrom(
    ...Array.from("{}[]\"'\\=:;&,? /@\n<>#%-"),
    "http://",
    "Bearer ",
    "password",
    "k=",
    "a1B2c3D4e5",
    "</a>",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (all) => {
      const value = all.join("");
      const masker = createMasker([value]);
      expect(masker.mask(`<${value}>`)).toBeTypeOf("string");
      expect(maskedParts(value).every(({ count }) => count > 0)).toBe(true);
    }),
    { numRuns: LONG ? 500 : 60 },
  );
  for (const { value, masks } of vectors.rows.slice(0, 8)) {
    const masker = createMasker([value]);
    const text = `<${masks.join("> <")}>`;
    expect(streamedInAllWays(masker, text)).toEqual(new Set([masker.mask(text)]));
  }
});

it.each([
  [
    "https://u:Sunflower77x@h.example.test/services/A1B2C3D4/E5F6G7H8",
    [
      ["password", 1],
      ["path segment", 2],
    ],
  ],
  ["Bearer qwERty778899zz", [["token", 1]]],
  ["DB_HOST=localhost\nDB_PASSWORD=rose", [["setting", 1]]],
  ['{"apiKey":"k1w1","host":"localhost"}', [["JSON value", 1]]],
  ["ghp_16C7e42F292c6912E7710c838347Ae178B4a", []],
])("maskedParts of %s", (value, parts) => {
  expect(maskedParts(value).map(({ kind, count }) => [kind, count])).toEqual(parts);
});

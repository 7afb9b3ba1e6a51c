import { generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { leaksOf, streamedInAllWays } from "./leaks.ts";
import { MULTI_LINE } from "./sample-values.ts";

const P = "***SECRET***";
const RSA = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
const SETTINGS = ['token = "abc\\def"', "short", "p@$$!#%&", "------------", "[section]", "'it''s' me!", "last"].join(
  "\n",
);

const lines = (value: string) => value.trim().split("\n");

describe.each([
  ["an RSA key", String(RSA)],
  ["a small key", MULTI_LINE],
])("M6: %s", (_, value) => {
  const masker = createMasker([value]);

  it.each<[string, (value: string) => string]>([
    ["whole", (text) => text],
    ["with CRLF", (text) => text.replaceAll("\n", "\r\n")],
    ["with CR CR LF", (text) => text.replaceAll("\n", "\r\r\n")],
    ["with spaces for line ends", (text) => text.replaceAll("\n", " ")],
    ["without line ends", (text) => text.replaceAll("\n", "")],
    ["in JSON", (text) => JSON.stringify(text)],
    ["in JSON, with CRLF", (text) => JSON.stringify(text.replaceAll("\n", "\r\n"))],
  ])("leaves nothing: %s", (_way, print) => {
    expect(masker.mask(print(value))).toMatch(/^"?\*\*\*SECRET\*\*\*[\s\\nr"]*$/);
    expect(leaksOf(masker.mask(print(value)), print(value))).toEqual([]);
  });

  it.each<[string, (value: string) => string]>([
    ["behind a prefix", (text) => lines(text).join("\n2026-11-22 | ")],
    ["indented", (text) => lines(text).join("\n    ")],
    ["one by one in JSON", (text) => JSON.stringify(lines(text))],
    ["by util.inspect", (text) => inspect({ text })],
    ["in an array by util.inspect", (text) => inspect(lines(text))],
    [
      "numbered, in reverse",
      (text) =>
        lines(text)
          .toReversed()
          .map((line, index) => `${index}:${line}`)
          .join("\n"),
    ],
  ])("shows none of the lines of at least 8 characters: %s", (_way, print) => {
    const masked = masker.mask(print(value));
    for (const line of lines(value)) expect(leaksOf(masked, line)).toEqual([]);
  });
});

it("M6: a stream that is cut anywhere masks the lines alike", () => {
  const masker = createMasker([MULTI_LINE]);
  const text = lines(MULTI_LINE).join("\r\n> ");
  expect(streamedInAllWays(masker, text)).toEqual(new Set([masker.mask(text)]));
});

describe("M6: a line alone", () => {
  const masker = createMasker([SETTINGS]);

  it.each([
    ['token = "abc\\def"', P],
    ['the value of it: "abc\\def"!', `the value of it: "${P}"!`],
    [JSON.stringify('token = "abc\\def"'), `"${P}"`],
    ["p@$$!#%&", P],
    ["p@\\$\\$!#%&", P],
    ["'it''s' me!", P],
    ["[section]", P],
    ["short", "short"],
    ["------------", "------------"],
    ["'it''s' me!\nlast", P],
    ["last", "last"],
  ])("%s", (line, masked) => {
    expect(masker.mask(`<${line}>`)).toBe(`<${masked}>`);
  });
});

describe("M7: the lines of an encoding", () => {
  const [base64, hex] = [Buffer.from(String(RSA)).toString("base64"), Buffer.from(String(RSA)).toString("hex")];
  const cut = (text: string, columns: number) => text.match(new RegExp(`.{1,${columns}}`, "g")) ?? [];
  const masker = createMasker([String(RSA)]);

  it.each([
    ["base64 at 76", cut(base64, 76)],
    ["base64 at 64", cut(base64, 64)],
    ["hex at 60", cut(hex, 60)],
    ["hex at 64", cut(hex, 64)],
  ])("%s, each behind a prefix, and all together", (_, pieces) => {
    expect(pieces.length).toBeGreaterThan(20);
    for (const piece of pieces.slice(0, -1)) expect(masker.mask(`12 | ${piece}`)).toBe(`12 | ${P}`);
    for (const separator of ["\n", "\r\n", "\\n"])
      expect(leaksOf(masker.mask(pieces.join(separator)), base64, 11)).toEqual([]);
  });

  it.each(Array.from({ length: 60 }, (_, index) => 40 + index))(
    "a last line of any length: %i characters",
    (length) => {
      const value = String(RSA)
        .replaceAll(/\s/g, "")
        .slice(50, 50 + length);
      const short = createMasker([value]);
      for (const end of ["", "\n", "x"]) {
        const encoded = Buffer.from(value + end).toString("base64");
        for (const columns of [64, 76]) {
          expect(leaksOf(short.mask(cut(encoded, columns).join("\n")), encoded, 11)).toEqual([]);
        }
        const inHex = Buffer.from(value + end).toString("hex");
        for (const columns of [60, 64])
          expect(leaksOf(short.mask(cut(inHex, columns).join("\n")), inHex, 16)).toEqual([]);
      }
    },
  );
});

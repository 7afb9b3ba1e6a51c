import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { variantsOf } from "../src/variants/variants.ts";
import { leaksOf } from "./leaks.ts";

const P = "***SECRET***";
const LIMIT = 65_536;

const lines = (count: number) => Array.from({ length: count }, (_, index) => `n${index} "line"`);

describe("a value of more than 64 Ki characters", () => {
  const value = `${lines(12_000).join("\n")}\n`;
  const masker = createMasker([value]);

  it.each([
    ["as it is", value, P],
    ["trimmed", value.trim(), P],
    ["its first line", '[n0 "line"]', `[${P}]`],
    ["its first line in JSON", '[n0 \\"line\\"]', `[${P}]`],
    ["its 10 000th line", '[n9999 "line"]', `[${P}]`],
    ["no line after that", '[n10000 "line"]', '[n10000 "line"]'],
    ["no line in another form, but for the first ones", 'n9999 \\"line\\"', 'n9999 \\"line\\"'],
  ])("is looked for: %s", (_, text, masked) => {
    expect(masker.mask(text)).toBe(masked);
  });

  it("is itself, without the white space around it, its first 10 000 lines, and 400 of their forms", () => {
    expect(variantsOf(value)).toHaveLength(10_402);
    expect(variantsOf(`"${"x".repeat(LIMIT)}`)).toHaveLength(1);
  });
});

it("a value of 64 Ki characters has all forms", () => {
  const value = `"${"x".repeat(LIMIT - 1)}`;
  const masker = createMasker([value]);
  expect([JSON.stringify(value), btoa(value)].map((text) => masker.mask(text))).toEqual([`"${P}"`, P]);
});

it.each([
  ["1 MB on one line", "k9Xw-".repeat(209_716)],
  [
    "1 MB in 10 000 lines",
    lines(10_000)
      .map((line) => line.padEnd(104, "#"))
      .join("\n"),
  ],
])("%s is masked", (_, value) => {
  const masker = createMasker([value]);
  expect(masker.mask(`<${value}>`)).toBe(`<${P}>`);
  const stream = masker.stream();
  const output = [stream.push(new TextEncoder().encode(`<${value}>`)), stream.flush()];
  expect(output.map((part) => new TextDecoder().decode(part)).join("")).toBe(`<${P}>`);
});

it.each([
  ["every byte is expanded", "\\".repeat(LIMIT), 4_600_000],
  ["every character has 4 bytes", "🔑".repeat(LIMIT / 2), 4_800_000],
  ["a list of numbers", JSON.stringify(Array.from({ length: 7_000 }, (_, index) => 10_000_000 + index)), 800_000],
  ["nothing but quotes", "'".repeat(LIMIT), 4_600_000],
  ["nothing but brackets", "[".repeat(LIMIT), 4_600_000],
])("what one value makes has a limit: %s", (_, value, units) => {
  const made = variantsOf(value);
  expect(made.length).toBeLessThanOrEqual(22_010);
  expect(made.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(units);
});

describe.each([
  ["a lone surrogate", "lone \ud83d surrogate \udd11!"],
  ["NUL", "a\0b\0c\0d\0e\0f\0"],
  ["a BOM", "\ufeffhunter2-hunter2"],
  ["characters that move the text", "\u202ehunter2\u202c\u200b\u2066hunter2"],
  ["both kinds of line ends", "first line\r\nsecond line\nthird line\rfourth line"],
  ["only what JSON escapes", '"\\"\\"\\"\\'],
  ["what replace and RegExp misread", "$&$1$`(.*)+[^]\\"],
])("a value with %s", (_, value) => {
  const masker = createMasker([value]);

  it.each<[string, (text: string) => string]>([
    ["as it is", (text) => text],
    ["JSON", JSON.stringify],
    ["base64", (text) => Buffer.from(text).toString("base64")],
    ["hex", (text) => Buffer.from(text).toString("hex")],
    ["percent", (text) => encodeURIComponent(text.toWellFormed())],
  ])("is masked: %s", (_form, encode) => {
    const masked = masker.mask(`<${encode(value)}>`);
    expect(masked).toContain(P);
    expect(leaksOf(masked, encode(value.trim()), 11)).toEqual([]);
  });
});

it.each([" ", "\n\n\n\n\n\n\n\n", "\t \u00a0\u2003\ufeff", " ".repeat(LIMIT)])(
  "white space is no secret: %j",
  (value) => {
    expect(createMasker([value]).mask(`a${value}b`)).toBe(`a${value}b`);
  },
);

import { describe, expect, it } from "vitest";
import { appearancesOf } from "../src/forms.ts";
import { createMasker } from "../src/index.ts";

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
    ["its 10 000th line", '[n9999 "line"]', `[${P}]`],
    ["no line after that", '[n10000 "line"]', '[n10000 "line"]'],
    ["no line in another form", 'n9999 \\"line\\"', 'n9999 \\"line\\"'],
  ])("is looked for: %s", (_, text, masked) => {
    expect(masker.mask(text)).toBe(masked);
  });

  it("is nothing but itself, without the white space around it, and its first 10 000 lines", () => {
    expect(appearancesOf(value)).toHaveLength(10_002);
    expect(appearancesOf(`"${"x".repeat(LIMIT)}`)).toHaveLength(1);
  });
});

it("a value of 64 Ki characters has all forms", () => {
  const value = `"${"x".repeat(LIMIT - 1)}`;
  const masker = createMasker([value]);
  expect([JSON.stringify(value), btoa(value)].map((text) => masker.mask(text))).toEqual([`"${P}"`, P]);
});

import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { leaksOf } from "./leaks.ts";

const VALUE = `p'w''d "q" $HOME \\b \`c\` 50%&|^x;(y)<z>*?!`;

/** By hand, from the manual of each. What real shells print is in `recorded-forms.json`. */
const QUOTED: readonly (readonly [string, string])[] = [
  ["sh, between ''", `'p'\\''w'\\'''\\''d "q" $HOME \\b \`c\` 50%&|^x;(y)<z>*?!'`],
  ["dash, between ''", `'p'"'"'w'"''"'d "q" $HOME \\b \`c\` 50%&|^x;(y)<z>*?!'`],
  ["sh, between double quotes", `"p'w''d \\"q\\" \\$HOME \\\\b \\\`c\\\` 50%&|^x;(y)<z>*?!"`],
  ["docker, between double quotes", `"p'w''d \\"q\\" $HOME \\b \`c\` 50%&|^x;(y)<z>*?!"`],
  ["bash, printf %q", `p\\'w\\'\\'d\\ \\"q\\"\\ \\$HOME\\ \\\\b\\ \\\`c\\\`\\ 50%\\&\\|\\^x\\;\\(y\\)\\<z\\>\\*\\?\\!`],
  [
    "Ruby's Shellwords",
    `p\\'w\\'\\'d\\ \\"q\\"\\ \\$HOME\\ \\\\b\\ \\\`c\\\`\\ 50\\%\\&\\|\\^x\\;\\(y\\)\\<z\\>\\*\\?\\!`,
  ],
  ["fish, between ''", `'p\\'w\\'\\'d "q" $HOME \\\\b \`c\` 50%&|^x;(y)<z>*?!'`],
  ["PowerShell, between ''", `'p''w''''d "q" $HOME \\b \`c\` 50%&|^x;(y)<z>*?!'`],
  ["PowerShell, between double quotes", `"p'w''d \`"q\`" \`$HOME \\b \`\`c\`\` 50%&|^x;(y)<z>*?!"`],
  ["CSV, SQL names", `"p'w''d ""q"" $HOME \\b \`c\` 50%&|^x;(y)<z>*?!"`],
  ["make, Maven, Docker Compose", `p'w''d "q" $$HOME \\b \`c\` 50%&|^x;(y)<z>*?!`],
  ["a batch file", `p'w''d "q" $HOME \\b \`c\` 50%%&|^x;(y)<z>*?!`],
  ["cmd", `p'w''d ^"q^" $HOME \\b \`c\` 50^%^&^|^^x;^(y^)^<z^>*?^!`],
  ["the backslashes taken off", `p'w''d "q" $HOME b \`c\` 50%&|^x;(y)<z>*?!`],
  ["the carets taken off", `p'w''d "q" $HOME \\b \`c\` 50%&|x;(y)<z>*?!`],
];

describe("M3: a value that is quoted for", () => {
  it.each(QUOTED)("%s", (_, quoted) => {
    const masked = createMasker([VALUE]).mask(`+ echo ${quoted} >out`);
    expect(masked).toMatch(/^\+ echo ["']?\*\*\*SECRET\*\*\*["']? >out$/);
    expect(leaksOf(masked, quoted)).toEqual([]);
  });

  it.each([
    ["C:\\dir\\", '"C:\\dir\\\\"'],
    ['say "hi\\" now', '"say \\"hi\\\\\\" now"'],
    ["a\\\\b c\\d", '"a\\\\b c\\d"'],
  ])("a program of Windows: %s", (value, quoted) => {
    expect(createMasker([value]).mask(quoted)).toBe('"***SECRET***"');
  });

  it("a value that is nothing but what is escaped", () => {
    for (const value of ["\\".repeat(2_000), "'".repeat(2_000), "^".repeat(2_000)]) {
      expect(createMasker([value]).mask(`<${value}>`)).toBe("<***SECRET***>");
    }
  });
});

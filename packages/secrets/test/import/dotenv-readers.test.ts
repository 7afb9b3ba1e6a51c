import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { parse as parseMotdotla } from "dotenv";
import { describe, expect, it } from "vitest";
import { readDotenv } from "../../src/import/dotenv.ts";
import { isFailure } from "../../src/import/entries.ts";

/** Gives what each file makes of the variable A; undefined or null where nothing. */
type Reader = (texts: readonly string[]) => readonly unknown[];

const BLOCK = "-----BEGIN X-----\nMII=\n-----END X-----";

const PLAIN = [
  "abcd",
  "x=y==z",
  "three plain words",
  "D'Arcy",
  'a"b"c',
  "us$",
  "50%",
  "a,b;c",
  "a&b|c",
  "пароль🔑",
  "=",
  "a:b",
];
const HASHES = [
  "top#secret9",
  "#ff00aa",
  "abcd # note",
  "abcd #note",
  "abcd\t# note",
  "# note",
  " # note",
  "ab # cd # ef",
];
const SIGNS = [`\${X}/y`, "$X", "$$", "$(id)", "a\\nb", "C:\\new", "\\#x", "a\\ b", "`tick`", "`a'b\"c`", "a`b"];
const SINGLE = [
  "'abcd'",
  "'a # b'",
  `'\${X}'`,
  "'a\\nb'",
  "'a\\\\b'",
  "'a\\'",
  "'it\\'s'",
  "'it'\\''s'",
  "'a\"b'",
  "'ab' # x",
];
const DOUBLE = [
  '"abcd"',
  '"a # b"',
  `"\${X}"`,
  '"a\\nb"',
  '"a\\tb"',
  '"a\\\\b"',
  '"a\\"b"',
  '"C:\\dir"',
  '"a\'b"',
  '"ab"#x',
];
const ENDS = [
  '"abcd" tail',
  '"abcd',
  "'abcd",
  '"ab"cd"',
  '""',
  "''",
  "",
  " ",
  '" "',
  '"  abcd  "',
  "'\tabcd'",
  "\u00a0abcd\u00a0",
];
const LINES = [`"${BLOCK}"`, `'${BLOCK}'`, '"l1\nB=x\nl3"', '"a\nB="x"', "'a\n\nb'", "a\u2028b", "a\rb"];

const CORPUS: readonly string[] = [
  ...[...PLAIN, ...HASHES, ...SIGNS, ...SINGLE, ...DOUBLE, ...ENDS, ...LINES].flatMap((value) => [
    `A=${value}\n`,
    `A=${value}`,
    `export A = ${value}\r\nB=efgh\r\n`,
    `B=efgh\n# note\n\nA=${value}\nC='x'\n`,
  ]),
  "A: abcd",
  "A:abcd",
  "A",
  "export A",
  "A=1111\nA=2222",
  "A =abcd",
  "# A=x",
  "#A=x\nA=y",
];

/** Where known readers agree, and we do not. */
const EXCEPTIONS = [
  { why: "the vectors undo \\$", text: 'A="a\\$b"', ours: "a$b" },
  { why: "what follows the first line would be lost", text: `A=${BLOCK}`, ours: "refused" },
  { why: "the quote may belong to B", text: 'A="a\nB="', ours: "refused" },
  { why: "the value may end at the last quote", text: `A='abcd' #efgh'`, ours: "refused" },
  { why: "every character comes back", text: 'A="a\r\nb"', ours: "a\r\nb" },
];

const PYTHON = `
import io, json, sys
from dotenv import dotenv_values
texts = [io.StringIO(text, newline=None) for text in json.load(sys.stdin)]
print(json.dumps([dotenv_values(stream=text, interpolate=False).get("A") for text in texts]))`;

/** Debian's python3-dotenv, or another; null where there is none. */
function findPythonReader(): Reader | null {
  const read = (texts: readonly string[]) => {
    return spawnSync("python3", ["-W", "ignore", "-c", PYTHON], { input: JSON.stringify(texts), encoding: "utf8" });
  };
  return read([]).status === 0 ? (texts) => JSON.parse(read(texts).stdout) : null;
}

/** What python-dotenv has made of each file: see ../vectors/README.md. It is asked itself too, where it is there. */
const recorded = new Map<string, string | null>(
  JSON.parse(readFileSync(new URL("../vectors/python-dotenv.json", import.meta.url), "utf8")).answers,
);

const readers: readonly Reader[] = [
  (texts) => texts.map((text) => parseMotdotla(text)["A"]),
  (texts) => texts.map((text) => parseEnv(text)["A"]),
  (texts) => texts.map((text) => recorded.get(text)),
  ...[findPythonReader()].filter((reader) => reader !== null),
];

/** The value on which all known readers agree, or null. An empty one is nothing to import. */
function agreedValues(texts: readonly string[]): readonly unknown[] {
  const answers = readers.map((reader) => reader(texts));
  return texts.map((_, index) => {
    const [first, ...others] = answers.map((answer) => answer[index] ?? "");
    return others.every((other) => other === first) ? first : null;
  });
}

/** Our value, or `refused` (an import refuses empty values too), and whether we warn. */
function readOurs(text: string): { readonly value: unknown; readonly warns: boolean } {
  const entries = readDotenv(text);
  const found = entries.find(({ name }) => name === "A");
  if (found === undefined || isFailure(found) || entries.some(isFailure)) return { value: "refused", warns: false };
  return { value: found.fields["value"] || "refused", warns: (found.warnings ?? []).length > 0 };
}

describe("KD1: known readers of .env files", () => {
  it("have all been asked", () => {
    expect([...CORPUS, ...EXCEPTIONS.map(({ text }) => text)].filter((text) => !recorded.has(text))).toEqual([]);
  });

  it("agree with us where they agree, and where they differ we warn or refuse", () => {
    const agreed = agreedValues(CORPUS);
    const wrong = CORPUS.filter((text, index) => {
      const { value, warns } = readOurs(text);
      const expected = agreed[index];
      if (expected === null) return !warns && value !== "refused";
      return expected === "" ? value !== "refused" : value !== expected;
    });
    expect(wrong).toEqual([]);
  });

  it.each(EXCEPTIONS)("agree on $text, and we do not: $why", ({ text, ours }) => {
    const [agreed] = agreedValues([text]);
    expect(agreed).toEqual(expect.stringMatching(/./));
    expect(readOurs(text).value).toBe(ours);
    expect(agreed).not.toBe(ours);
  });
});

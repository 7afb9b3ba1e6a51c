import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../../scripts/test/any-character.ts";
import { readDotenv } from "../../src/import/dotenv.ts";
import { type ImportEntry, type ImportFailure, isFailure } from "../../src/import/entries.ts";

const CANARY = "canary-91be";

interface Row {
  readonly text: string;
  readonly value?: string;
  readonly warn?: boolean;
  readonly refuse?: number;
}

/** See ../vectors/README.md. */
function readRows(): readonly Row[] {
  return JSON.parse(readFileSync(new URL("../vectors/dotenv-lines.json", import.meta.url), "utf8")).rows;
}

function valueIn(entries: readonly ImportEntry[], name = "A"): unknown {
  const entry = entries.find((one) => one.name === name);
  return entry === undefined || isFailure(entry) ? undefined : entry.fields["value"];
}

function warningsOf(entries: readonly ImportEntry[]): readonly string[] {
  return entries.flatMap((entry) => (isFailure(entry) ? [] : (entry.warnings ?? [])));
}

function failuresOf(text: string): readonly ImportFailure[] {
  return readDotenv(text).filter(isFailure);
}

/** What an import refuses: what the reader does, empty values, and names that are not ours. */
function refusedLines(entries: readonly ImportEntry[]): readonly (number | undefined)[] {
  return entries
    .filter((entry) => isFailure(entry) || entry.fields["value"] === "" || !/^[\w-]+$/.test(entry.name))
    .map(({ line }) => line);
}

describe("readDotenv", () => {
  it.each(readRows())("KD1: decides about $text", ({ text, value, warn = false, refuse }) => {
    const entries = readDotenv(text);
    expect(refusedLines(entries)).toEqual(refuse === undefined ? [] : [refuse]);
    if (value !== undefined) expect(valueIn(entries)).toBe(value);
    expect(warningsOf(entries).length > 0).toBe(warn);
  });

  it.each([
    ["a value with #", "A=top#secret9", "top#secret9", 1],
    ["JSON between double quotes", 'A="{\\"k\\":\\"v1234567\\"}"', '{"k":"v1234567"}', 1],
    ["a colour", "A=#ff00aa", "#ff00aa", 1],
    ["a colon and a blank", "A: abcd1234", "abcd1234", 1],
    ["a comment without a newline behind it", "A=abcd1234\n# OLD=x", "abcd1234", 0],
    ["an expansion", `A=\${X}/y`, `\${X}/y`, 1],
    ["an expansion between double quotes", 'A="$X/y"', "$X/y", 1],
    ["a command", "A=$(id)", "$(id)", 1],
    ["a dollar that is none", "A=us$", "us$", 0],
    ["a Windows path", "A=C:\\new\\table", "C:\\new\\table", 1],
    ["a PEM in quotes", 'A="-----BEGIN X-----\nMII=\nab==\n-----END X-----\n"', undefined, 0],
    ["a PEM in single quotes", "A='-----BEGIN X-----\nMII=\n-----END X-----' # key", undefined, 0],
    ["a comment with a quote inside", "A='abcd1234' # it's new", "abcd1234", 0],
    ["a comment that ends with the other quote", `A='abcd1234' # "new"`, "abcd1234", 0],
    ["a PEM with \\n in it", "A=-----BEGIN X-----\\nMII=\\n-----END X-----", undefined, 1],
    ["CRLF between quotes", 'A="one\r\ntwo"\r\n', "one\r\ntwo", 1],
    ["an escaped backslash before n", 'A="a\\\\nb"', "a\\nb", 1],
    ["two backslashes in single quotes", "A='a\\\\b'", "a\\\\b", 1],
    ["no-break spaces", "A=\u00a0abc\u00a0", "\u00a0abc\u00a0", 1],
    ["quotes inside", "A=abc\"def\"'ghi'", "abc\"def\"'ghi'", 0],
    ["blanks and tabs around", "\t A \t= \tabcd\t ", "abcd", 0],
    ["export and a tab", "export\tA=abcd", "abcd", 0],
    ["an equals sign alone", "A==", "=", 0],
    ["a script that is not Latin", "A=пароль-密码-🔑", "пароль-密码-🔑", 0],
  ])("KD1: keeps all of %s", (_what, text, value, warnings) => {
    const entries = readDotenv(text);
    expect(entries).toHaveLength(1);
    expect(warningsOf(entries)).toHaveLength(warnings);
    const whole = text.replace(/^A=["']?/, "").replace(/["'](?: # key)?$/, "");
    expect(valueIn(entries)).toBe(value ?? whole);
  });

  it.each([
    ["an open quote before other lines", `PW="!pass9word\nOTHER=keep\nLAST="zzzz"\n`, 1, "PW"],
    ["an open quote before lines without quotes", `A=1234\nPW="${CANARY}\nOTHER=keep`, 2, "PW"],
    ["an open quote before a value of several lines", `PW="${CANARY}\nB="\nx=${CANARY}"\n`, 1, "PW"],
    ["an open single quote", `PW='${CANARY}\nB='x'\n`, 1, "PW"],
    ["an open quote before an empty one", `PW="${CANARY}\nB=""\n`, 1, "PW"],
    ["a quote in a value before #", `A="1234"\nPW="${CANARY}"#keep"\n`, 2, "PW"],
    ["a single quote in a value before #", `PW='${CANARY}' # keep'\r\nB=x\n`, 1, "PW"],
    ["such a quote in the last of several lines", `PW='x\n${CANARY}' #keep' \n`, 1, "PW"],
    ["an open backtick", `PW=\`${CANARY}\nB=x\``, 1, "PW"],
    ["a NUL", `A=1234\nPW=${CANARY}\0`, 2, "PW"],
    ["a NUL in quotes", `PW="${CANARY}\0"`, 1, "PW"],
    ["a carriage return alone", `PW=${CANARY}\rB=x`, 1, "PW"],
    ["a word", `A=1234\n${CANARY}\n`, 2, "line 2"],
    ["a name of two words", `MY KEY=${CANARY}`, 1, "line 1"],
    ["a colon without a blank", `PW:${CANARY}`, 1, "line 1"],
    ["a URL", `https://${CANARY}?a=b`, 1, "line 1"],
    ["export without a value", "A=1234\n\n# x\nexport A\n", 4, "line 4"],
  ])("KD1: refuses %s with its line, and repeats nothing of it", (_what, text, line, name) => {
    const [failure, ...others] = failuresOf(text);
    expect(failure).toMatchObject({ line, name });
    expect(JSON.stringify([failure, ...others])).not.toMatch(/canary|pass9|keep|zzzz/);
  });

  it("KD1: refuses each line of a key that is not in quotes, and says so on the first", () => {
    const failures = failuresOf(`KEY=-----BEGIN X-----\n${CANARY}+/\n${CANARY}\n-----END X-----\n`);
    expect(failures.map(({ line }) => line)).toEqual([1, 2, 3, 4]);
    expect(failures[0]).toMatchObject({ name: "KEY", reason: "put a value of several lines in quotes" });
    expect(JSON.stringify(failures)).not.toContain(CANARY);
  });

  it("KD1: a line that is refused stays refused, whatever comes later under its name", () => {
    expect(failuresOf('A="x" tail\nA=good1234\n')).toMatchObject([{ name: "A", line: 1 }]);
  });

  it("KD1: names both lines of two variables with one name", () => {
    const entries = readDotenv("A=first123\nB=x234\nA=second12\n");
    expect(entries.map(({ name, line }) => [name, line])).toEqual([
      ["B", 2],
      ["A", 3],
    ]);
    expect(warningsOf(entries)).toEqual(["it is also on line 1; the last one counts"]);
  });

  it("KD1: counts the lines of values in quotes", () => {
    const entries = readDotenv("# x\r\nA='1\n2\n3'\nB=4444\n\nC=5555");
    expect(entries.map(({ name, line }) => [name, line])).toEqual([
      ["A", 2],
      ["B", 5],
      ["C", 7],
    ]);
  });

  it("KD1: reads 10 000 lines, and as many quotes that are refused", () => {
    const lines = Array.from({ length: 10_000 }, (_, index) => `NAME_${index}="value ${index}"`);
    expect(readDotenv(lines.join("\n"))).toHaveLength(10_000);
    expect(readDotenv(lines.map((line) => `${line} tail`).join("\n"))).toHaveLength(1);
    expect(valueIn(readDotenv(`A="${'\\"'.repeat(100_000)}"`))).toBe('"'.repeat(100_000));
  });

  it("is not moved by __proto__", () => {
    expect(readDotenv("__proto__=canary\nB=1").map(({ name }) => name)).toEqual(["__proto__", "B"]);
    expect(Object.prototype).not.toHaveProperty("B");
  });
});

/** Texts made of what means something in a `.env` file. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      ...Array.from("\"'`\\$#=:{}() \t\r\n\0nrtB"),
      "\\n",
      "\nB=",
      " #",
      `\${X}`,
      "\u2028",
      "\u00a0",
      "\ufeff",
    ),
    fc.string({ unit: anyCharacter, minLength: 1, maxLength: 1 }),
  ),
  maxLength: 30,
});

/** The value of A, or undefined where anything was refused. */
function readBack(source: string): unknown {
  const entries = readDotenv(source);
  return entries.some(isFailure) ? undefined : valueIn(entries);
}

describe("readDotenv, for any text", () => {
  const runs = { numRuns: 3000 };

  it("KD1: gives back what was written between single quotes, or refuses it", () => {
    fc.assert(
      fc.property(text, text, (value, other) => {
        const read = readBack(`A='${value}'\nB="${other}"\n`);
        if (!value.includes("'") && read !== undefined) expect(read).toBe(value);
        const alone = readBack(`A='${value}'\n`);
        if (!/['\0\n]/.test(value)) expect(alone).toBe(value);
        else if (!value.includes("\n")) expect([value, undefined]).toContain(alone);
      }),
      runs,
    );
  });

  it("KD1: gives back what was written between double quotes with its escapes", () => {
    fc.assert(
      fc.property(text, (value) => {
        const written = value.replace(/["\\$]/g, (character) => `\\${character}`);
        const read = readBack(`A="${written}"\nB=x\n`);
        // Only what looks like another line's quote is refused, and NUL.
        if (read !== undefined) expect(read).toBe(value);
        else expect(value).toMatch(/\0|\n/);
        const inOneLine = written.replace(/\n/g, "\\n").replace(/\r/g, "\\r");
        if (!value.includes("\0")) expect(readBack(`A="${inOneLine}"`)).toBe(value);
        if (!/[\n\\]/.test(value)) expect([value, undefined]).toContain(readBack(`A="${value}"\n`));
      }),
      runs,
    );
  });

  it("KD1: gives back what was written without quotes, or warns, or refuses", () => {
    fc.assert(
      fc.property(text, (value) => {
        const entries = readDotenv(`A=${value}\n`);
        if (entries.some(isFailure) || warningsOf(entries).length > 0) return;
        if (/^[ \t]*["']/.test(value)) return;
        const [line = "", ...others] = value.split("\n");
        expect(valueIn(entries)).toBe(line.replace(/\r$/, "").replace(/^[ \t]+|[ \t]+$/g, ""));
        // What stands on other lines has become values or was blank.
        expect(others.filter((one) => /^[ \t]*\w+[ \t]*=/.test(one))).toHaveLength(entries.length - 1);
      }),
      runs,
    );
  });

  it("KD1: never repeats a value in what it says", () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const entries = readDotenv(`A=${before}${CANARY}${after}\nB=x`);
        const said = entries.flatMap((entry) => (isFailure(entry) ? [entry.reason] : (entry.warnings ?? [])));
        expect(said.join()).not.toContain(CANARY);
      }),
      runs,
    );
  });
});

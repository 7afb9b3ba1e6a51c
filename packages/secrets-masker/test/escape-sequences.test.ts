import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { TOKEN } from "./sample-values.ts";

const P = "***SECRET***";
const ESC = "\u001b";
const SECRET = "correct-horse-battery";

const between = (sequence: string) => SECRET.split("").join(sequence);

const table = [
  ["one colour", `a correct-${ESC}[31mhorse-battery b`, `a ${P} b`],
  ["colours around it stay", `${ESC}[1m${ESC}[32m${SECRET}${ESC}[0m`, `${ESC}[1m${ESC}[32m${P}${ESC}[0m`],
  ["inside and around", `${ESC}[1mcorrect-${ESC}[4mhorse${ESC}[0m-battery${ESC}[0m.`, `${ESC}[1m${P}${ESC}[0m.`],
  ["a colour for each character", `<${between(`${ESC}[38;2;120;200;99m`)}>`, `<${P}>`],
  ["several in a row", `correct-${ESC}[0m${ESC}[K${ESC}[1mhorse-battery`, P],
  ["a link, ended by BEL", `correct-${ESC}]8;;https://db.example\u0007horse-battery`, P],
  ["a link, ended by ESC \\", `correct-${ESC}]8;;https://db.example${ESC}\\horse-battery`, P],
  ["a character set", `correct-${ESC}(Bhorse-battery`, P],
  ["in base64", `${btoa(SECRET).slice(0, 9)}${ESC}[m${btoa(SECRET).slice(9)}`, P],
  ["two that overlap in different ways", `correct-horse-${ESC}[m${SECRET}`, `correct-horse-${ESC}[m${P}`],
  ["a value as a whole word", `my hun${ESC}[31mter2!`, `my ${P}!`],
  ["no word, but a part of one", `xhun${ESC}[31mter2`, `xhun${ESC}[31mter2`],
  ["what only looks like a sequence", `correct-${ESC}31mhorse-battery`, `correct-${ESC}31mhorse-battery`],
  ["a sequence of 256 characters", `correct-${ESC}[${"1;".repeat(126)}1mhorse-battery`, P],
  [
    "one of 257",
    `correct-${ESC}[${"1;".repeat(127)}mhorse-battery`,
    `correct-${ESC}[${"1;".repeat(127)}mhorse-battery`,
  ],
  ["no value", `${ESC}[31mERROR${ESC}[0m correct-${ESC}[1mhouse`, `${ESC}[31mERROR${ESC}[0m correct-${ESC}[1mhouse`],
  ["a placeholder stays", `***${ESC}[1mSECRET***`, `***${ESC}[1mSECRET***`],
] as const;

/** One for all: what it has masked before changes nothing but its report. */
const masker = createMasker([SECRET, "hunter2", TOKEN]);
const encode = (text: string) => new TextEncoder().encode(text);

describe.each(table)("escape sequences inside a value: %s", (_, text, masked) => {
  it("in a text and in bytes", () => {
    expect(masker.mask(text)).toBe(masked);
    expect(new TextDecoder().decode(masker.maskBytes(encode(text)))).toBe(masked);
  });

  it("in a stream that was cut anywhere, or everywhere", () => {
    const bytes = encode(`${text} `);
    const inPieces = (pieces: readonly Uint8Array[]) => {
      const stream = masker.stream();
      const output = [...pieces.map((piece) => stream.push(piece)), stream.flush()];
      return output.map((part) => Buffer.from(part).toString("latin1")).join("");
    };
    for (let cut = 0; cut <= bytes.length; cut += 7) {
      expect(inPieces([bytes.subarray(0, cut), bytes.subarray(cut)])).toBe(`${masked} `);
    }
    expect(inPieces(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toBe(`${masked} `);
  });
});

it("what a stream holds back is what a value can go on from", () => {
  const stream = createMasker([SECRET]).stream();
  const push = (text: string) => Buffer.from(stream.push(encode(text))).toString();
  expect([push(`ok ${ESC}`), push("[;"), push("m correct"), push(`${ESC}[`), push("0m-"), push("house")]).toEqual([
    `ok ${ESC}`,
    "[;",
    "m ",
    "",
    "",
    `correct${ESC}[0m-house`,
  ]);
});

it("a value that the end of a stream cuts off inside of a sequence is masked", () => {
  const stream = createMasker([SECRET]).stream();
  const text = `log: correct-${ESC}[1mhorse${ESC}[3`;
  const output = [stream.push(encode(text)), stream.flush()].map((part) => Buffer.from(part).toString());
  expect(output.join("")).toBe(`log: ${P}${ESC}[3`);
});

it("more than 16 Ki of sequences make two texts of what stands around them", () => {
  const escapes = `${ESC}[0m`.repeat(4097);
  const text = `correct-${escapes}horse-battery`;
  expect(createMasker([SECRET]).mask(text)).toBe(text);
  const stream = createMasker([SECRET]).stream();
  expect(stream.push(encode(text)).length).toBe(text.length);
});

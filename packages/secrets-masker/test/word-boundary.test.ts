import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";

const P = "***SECRET***";
const ESC = "\u001b";

const backslashed = ["\\n", "\\r", "\\t", "\\b", "\\f", "\\v", "\\0", "\\a", "\\e"];
const numeric = ["\\u0022", "\\u00e9", "\\uD83D", "\\x22", "\\xfF", "%20", "%2f", "%C3"];
const terminal = [`${ESC}[m`, `${ESC}[31m`, `${ESC}[1;31m`, `${ESC}[K`, `${ESC}[38;5;196m`, `${ESC}[12;34;567m`];
const escapes = [...backslashed, ...numeric, ...terminal];

const noBackslashed = ["tok_", "n", "\\q", "\\N", "\\nn", "n\\n_"];
const noNumeric = ["\\u022", "\\u00222", "u0022", "\\x2", "\\x222", "x22", "%2", "%g0", "%200", "20"];
const noTerminal = ["[31m", `${ESC}31m`, `${ESC}[31`, `${ESC}[31mm`, `${ESC}[3:1m`, `${ESC}[12;34;5678m`];
const words = [...noBackslashed, ...noNumeric, ...noTerminal];

const table = [
  ...escapes.map((before) => [`${before}hunter2`, `${before}${P}`] as const),
  ...escapes.map((before) => [`a line${before}hunter2${before}.`, `a line${before}${P}${before}.`] as const),
  ...escapes.map((before) => [`${before}hunter2x`, `${before}hunter2x`] as const),
  ...words.map((word) => [`${word}hunter2`, `${word}hunter2`] as const),
  ['"line\\nhunter2"', `"line\\n${P}"`],
  ["?next=%20hunter2%20", `?next=%20${P}%20`],
  ["\\nhunter2hunter2", "\\nhunter2hunter2"],
  ["\\nhunter2\\nhunter2", `\\n${P}\\n${P}`],
  [`${ESC}[31mhunter2${ESC}[0m`, `${ESC}[31m${P}${ESC}[0m`],
] as const;

/** One for all: what it has masked before changes nothing but its report. */
const masker = createMasker(["hunter2"]);

describe.each(table)("hunter2 in %j", (text, masked) => {
  const bytes = new TextEncoder().encode(text);

  it("as text and as bytes", () => {
    expect(masker.mask(text)).toBe(masked);
    expect(new TextDecoder().decode(masker.maskValue(bytes) as Uint8Array)).toBe(masked);
  });

  it("in a stream that was cut anywhere, or everywhere", () => {
    const inPieces = (pieces: readonly Uint8Array[]) => {
      const stream = masker.stream();
      const output = [...pieces.map((piece) => stream.push(piece)), stream.flush()];
      return new TextDecoder().decode(Uint8Array.from(output.flatMap((part) => [...part])));
    };
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(inPieces([bytes.subarray(0, cut), bytes.subarray(cut)])).toBe(masked);
    }
    expect(inPieces(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toBe(masked);
  });
});

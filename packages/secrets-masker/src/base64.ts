import type { PatternText } from "./matcher.ts";
import { utf8Units } from "./units.ts";

/** A piece of an encoding, and the characters that may stand beside it. */
export type Fragment = Omit<PatternText, "wholeWord">;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * What the base64 (RFC 4648 section 4) of any bytes with this value inside must contain, for the value's three alignments:
 * the characters that the value alone determines. `before` and `after` are the characters it shares with its neighbours.
 */
export function base64Fragments(value: string): readonly Fragment[] {
  const bytes = utf8Units(value);
  return [0, 1, 2].flatMap((alignment) => {
    const encoded = btoa("\0".repeat(alignment) + bytes);
    const bits = 8 * (alignment + bytes.length);
    const start = Math.ceil((8 * alignment) / 6);
    const before = firstBits(bytes.charCodeAt(0), alignment);
    const after = lastBits(bytes.charCodeAt(bytes.length - 1), bits % 6);
    // The second one is for a value that ends the data: there the last bits are zero, and padding follows.
    return [
      { text: encoded.slice(start, Math.floor(bits / 6)), before, after },
      { text: encoded.slice(start), before, after: "" },
    ];
  });
}

/** The same for base64url (RFC 4648 section 5). */
export function base64urlFragments(value: string): readonly Fragment[] {
  return base64Fragments(value).map(({ text, before, after }) => ({
    text: toUrlAlphabet(text),
    before: toUrlAlphabet(before),
    after: toUrlAlphabet(after),
  }));
}

/** All characters that end in the first bits of this byte: 4 bits at alignment 1, 2 bits at alignment 2. */
function firstBits(byte: number, alignment: number): string {
  if (alignment === 0) return "";
  const foreignBits = 2 * alignment;
  const own = byte >> (2 + foreignBits);
  return digits(foreignBits, (foreign) => (foreign << (6 - foreignBits)) | own);
}

/** All characters that begin with the last `count` bits of this byte. */
function lastBits(byte: number, count: number): string {
  if (count === 0) return "";
  const foreignBits = 6 - count;
  const own = (byte & ((1 << count) - 1)) << foreignBits;
  return digits(foreignBits, (foreign) => own | foreign);
}

function digits(foreignBits: number, digit: (foreign: number) => number): string {
  let all = "";
  for (let foreign = 0; foreign < 1 << foreignBits; foreign++) all += ALPHABET.charAt(digit(foreign));
  return all;
}

function toUrlAlphabet(text: string): string {
  return text.replaceAll("+", "-").replaceAll("/", "_");
}

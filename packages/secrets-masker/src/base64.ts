import type { PatternText } from "./pattern-text.ts";

/** A piece of an encoding, and the characters that may stand beside it. */
export type Fragment = Omit<PatternText, "wholeWord">;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * What the base64 (RFC 4648 section 4) of any data with these bytes inside must contain, for their three alignments: the
 * characters that they alone determine. `before` and `after` are the characters that they share with their neighbours.
 *
 * @param bytes one unit (0 to 255) for each byte
 */
export function base64Inside(bytes: string): readonly Fragment[] {
  return [0, 1, 2].map((alignment) => {
    const bits = 8 * (alignment + bytes.length);
    return {
      text: shifted(bytes, alignment).slice(0, Math.floor(bits / 6) - firstOwn(alignment)),
      before: firstBits(bytes.charCodeAt(0), alignment),
      after: lastBits(bytes.charCodeAt(bytes.length - 1), bits % 6),
    };
  });
}

/** The same, and for bytes that end the data: there the last bits are zero, and padding follows. */
export function base64Fragments(bytes: string): readonly Fragment[] {
  const inside = base64Inside(bytes);
  return [
    ...inside,
    ...inside.map(({ before }, alignment) => ({ text: shifted(bytes, alignment), before, after: "" })),
  ];
}

/** The same for base64url (RFC 4648 section 5). */
export function base64urlFragments(bytes: string): readonly Fragment[] {
  return base64Fragments(bytes).map(({ text, before, after }) => ({
    text: toUrlAlphabet(text),
    before: toUrlAlphabet(before),
    after: toUrlAlphabet(after),
  }));
}

/** The characters from the first one on in which there is no bit of what stands before. */
function shifted(bytes: string, alignment: number): string {
  return btoa("\0".repeat(alignment) + bytes).slice(firstOwn(alignment));
}

function firstOwn(alignment: number): number {
  return Math.ceil((8 * alignment) / 6);
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

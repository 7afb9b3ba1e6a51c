import { gramHash } from "./gram.ts";
import type { GramTables } from "./gram-tables.ts";

type WindowSize = Pick<GramTables, "gram" | "grams">;

/** A pattern's bytes. */
export interface ByteSpan {
  readonly start: number;
  readonly length: number;
}

/** A window begins and ends within so many bytes of a pattern: where it begins fits into a byte. */
const MAX_WINDOW_END = 256;

const BUCKETS = 65_536;

/** Counts how often grams occur in patterns: what many have in common tells none of them from the others. */
export function countGrams(bytes: DataView, spans: readonly ByteSpan[], { gram }: WindowSize): Uint16Array {
  const counts = new Uint16Array(BUCKETS);
  for (const { start, length } of spans) {
    const end = start + Math.min(length, MAX_WINDOW_END) - gram.length;
    for (let at = start; at <= end; at++) {
      const bucket = gramHash(bytes, at, gram) >>> 16;
      const count = counts[bucket] ?? 0;
      if (count < 0xffff) counts[bucket] = count + 1;
    }
  }
  return counts;
}

/** Chooses where in a pattern its window begins: where the grams are the rarest, in patterns and in what logs are made of. */
export function chooseWindow(
  bytes: DataView,
  { start, length }: ByteSpan,
  { gram, grams }: WindowSize,
  frequency: (hash: number) => number,
): number {
  const end = start + Math.min(length, MAX_WINDOW_END) - gram.length;
  const costs: number[] = [];
  let sum = 0;
  let best = Infinity;
  let offset = 0;
  for (let at = start; at <= end; at++) {
    const cost = frequency(gramHash(bytes, at, gram)) + penalty(bytes, at, gram.length);
    costs.push(cost);
    sum += cost - (costs[costs.length - 1 - grams] ?? 0);
    if (costs.length < grams || sum >= best) continue;
    best = sum;
    offset = costs.length - grams;
  }
  return offset;
}

const DIGIT = 1;
const LOWER = 2;
const UPPER = 4;
const OTHER = 8;

const CLASSES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[0-9]/.test(character)) return DIGIT;
  if (/[a-z]/.test(character)) return LOWER;
  return /[A-Z]/.test(character) ? UPPER : OTHER;
});

/** Logs are full of numbers, words and punctuation; letters of both cases next to each other are rare. */
function penalty(bytes: DataView, at: number, length: number): number {
  let classes = 0;
  for (let index = 0; index < length; index++) classes |= CLASSES[bytes.getUint8(at + index)] ?? OTHER;
  if (classes === DIGIT || classes === LOWER || classes >= OTHER) return 6;
  return classes < UPPER ? 3 : 0;
}

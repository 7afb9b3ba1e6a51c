import { type GramShape, gramHash, gramShape } from "./gram.ts";

/** What one build of a filter is made of. */
export interface GramTables {
  readonly gram: GramShape;
  /** Grams in a window. */
  readonly grams: number;
  /** Bytes in a window. */
  readonly window: number;
  /** Which grams may be in a window: a bit for each slot. */
  readonly slots: Uint8Array;
  /** How far a hash is shifted to be a slot. */
  readonly shift: number;
  /** By the hash of a gram, a bit for each place that it has in some window. */
  readonly places: HashTable;
  /** By the hash of a window, the first entry that has it, and 1. */
  readonly windows: HashTable;
  /** By entry, the next one with the same window, and 1. */
  readonly next: Int32Array;
  /** By entry, where in its pattern the window begins. */
  readonly offsets: Uint8Array;
}

/** Pairs of a hash and a figure, which is 0 in an empty slot. Its length is a power of 2. */
type HashTable = Int32Array;

/** Few patterns can have long windows: looking for them is what costs. Many cost more in what is found by chance. */
const FEW = 64;
const MANY = 512;
const MOST = 65_536;

/** A bit for each place of a gram fits into one figure. */
const MAX_GRAMS = 29;

/** Tables for this many patterns that are at least so long, from 4 bytes on. They take half as many again. */
export function createTables(count: number, shortest: number): GramTables {
  const window = Math.min(shortest, count <= FEW ? 32 : count <= MANY ? 24 : 16);
  const length = gramLength(window, count);
  const grams = Math.min(MAX_GRAMS, window - length + 1);
  const entries = count * grams;
  const windows = createHashTable(count);
  const bits = slotBits(entries);
  return {
    gram: gramShape(length),
    grams,
    window,
    slots: new Uint8Array(2 ** (bits - 3)),
    shift: 32 - bits,
    places: createHashTable(entries),
    windows,
    next: new Int32Array(capacity(windows) + 1),
    offsets: new Uint8Array(capacity(windows) + 1),
  };
}

/** The shorter a gram is, the fewer places are looked at, but the more grams are found by chance. */
function gramLength(window: number, count: number): number {
  if (window < 6) return 3;
  if (count <= MANY) return window < 8 ? 3 : 4;
  if (window < 10) return 4;
  return count <= MOST ? 5 : 6;
}

/** So many that few grams are found by chance, as far as the cache holds them; 16 for each gram also where it does not. */
function slotBits(entries: number): number {
  const inCache = Math.min(21, Math.ceil(Math.log2(64 * entries)));
  return Math.min(24, Math.max(18, inCache, Math.ceil(Math.log2(16 * entries))));
}

export function hasSlot({ slots, shift }: GramTables, hash: number): boolean {
  const slot = hash >>> shift;
  return (((slots[slot >>> 3] ?? 0) >>> (slot & 7)) & 1) !== 0;
}

export function takeSlot({ slots, shift }: GramTables, hash: number): void {
  const slot = hash >>> shift;
  slots[slot >>> 3] = (slots[slot >>> 3] ?? 0) | (1 << (slot & 7));
}

function createHashTable(count: number): HashTable {
  return new Int32Array(2 ** Math.max(7, Math.ceil(Math.log2((8 / 3) * count))));
}

/** Are so many pairs more than the table takes? */
export function isFull(table: HashTable, count: number): boolean {
  return count > capacity(table);
}

/** Three quarters of its pairs. */
function capacity(table: HashTable): number {
  return (3 * table.length) >>> 3;
}

/** The figure for a hash, 0 where it is not there. */
export function lookUp(table: HashTable, hash: number): number {
  return table[slotFor(table, hash) + 1] ?? 0;
}

/** Where the pair with this hash is, or is to be. */
export function slotFor(table: HashTable, hash: number): number {
  const end = table.length - 1;
  let slot = (hash >>> Math.clz32(end >>> 1)) << 1;
  while (table[slot + 1] !== 0 && table[slot] !== hash) slot = (slot + 2) & end;
  return slot;
}

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

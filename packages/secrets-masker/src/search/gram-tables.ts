import { type GramShape, gramHash, gramShape } from "./gram.ts";

/** The tables of a filter. */
export interface GramTables {
  readonly gram: GramShape;
  /** The number of grams in a window. */
  readonly grams: number;
  /** The number of bytes in a window. */
  readonly window: number;
  /** One bit for each slot: may a gram with this slot be in a window? */
  readonly slots: Uint8Array;
  /** How far a hash is shifted to the right to give its slot. */
  readonly shift: number;
  /** By the hash of a gram: one bit for each place that it has in any window. */
  readonly places: HashTable;
  /** By the hash of a window: the first entry with this window, plus 1. */
  readonly windows: HashTable;
  /** By entry: the next entry with the same window, plus 1. */
  readonly next: Int32Array;
  /** By entry: where in its pattern the window begins. */
  readonly offsets: Uint8Array;
}

/** Pairs of a hash and a number, which is 0 in an empty slot. The length is a power of 2. */
type HashTable = Int32Array;

/** Long windows make the search faster, but more grams are found by chance the more patterns there are. */
const FEW = 64;
const MANY = 512;
const MOST = 65_536;

/** One bit for each place of a gram must fit into a number. */
const MAX_GRAMS = 29;

/** Creates tables for `count` patterns, and half as many again, of at least `shortest` bytes: 4 or more. */
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

/** Shorter grams mean fewer places to look at, but more grams that are found by chance. */
function gramLength(window: number, count: number): number {
  if (window < 6) return 3;
  if (count <= MANY) return window < 8 ? 3 : 4;
  if (window < 10) return 4;
  return count <= MOST ? 5 : 6;
}

/** Enough slots that few grams are found by chance, within the size of the cache, but at least 16 for each gram. */
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

/** Does the table have no room for `count` pairs? */
export function isFull(table: HashTable, count: number): boolean {
  return count > capacity(table);
}

/** Three quarters of the pairs of the table. */
function capacity(table: HashTable): number {
  return (3 * table.length) >>> 3;
}

/** Returns the number for a hash, or 0. */
export function lookUp(table: HashTable, hash: number): number {
  return table[slotFor(table, hash) + 1] ?? 0;
}

/** Returns where the pair with this hash is, or where it belongs. */
export function slotFor(table: HashTable, hash: number): number {
  const end = table.length - 1;
  let slot = (hash >>> Math.clz32(end >>> 1)) << 1;
  while (table[slot + 1] !== 0 && table[slot] !== hash) slot = (slot + 2) & end;
  return slot;
}

type WindowSize = Pick<GramTables, "gram" | "grams">;

/** The bytes of a pattern. */
export interface ByteSpan {
  readonly start: number;
  readonly length: number;
}

/** A window ends within this many bytes of its pattern, so that its offset fits into a byte. */
const MAX_WINDOW_END = 256;

const BUCKETS = 65_536;

/** Counts how often grams occur in patterns: a gram that many patterns share does not tell them apart. */
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

/**
 * Chooses where in a pattern its window begins: where the grams are the rarest, in the patterns and in typical logs.
 */
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

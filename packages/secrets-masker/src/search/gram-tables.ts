import { type GramShape, gramHash, gramShape } from "./gram.ts";

/** The tables of a filter. */
export interface GramTables {
  readonly gram: GramShape;
  /** The number of grams in a window. */
  readonly grams: number;
  /** The number of bytes in a window. */
  readonly window: number;
  /** Two bits of one word for each gram: may a window have it? */
  words: Int32Array;
  /** How far a hash is shifted to the right to give its word. */
  shift: number;
  /** One bit for the first two bytes of each gram: enough where reading the others costs more than another table. */
  readonly pairs: Int32Array;
  /** By the hash of a gram: one bit for each place that it has in any window. */
  places: HashTable;
  /** The number of grams in {@link places}. */
  placeCount: number;
  /** By the hash of a window: the first entry with this window, plus 1. */
  readonly windows: HashTable;
  /** By entry: the next entry with the same window, plus 1. */
  readonly next: Int32Array;
  /** The same, but one that still counts where this one is there: it does not just begin with it. */
  readonly nextApart: Int32Array;
  /** By entry: where in its pattern the window begins. */
  readonly offsets: Uint8Array;
  /** By entry: the length of its pattern. */
  readonly lengths: Int32Array;
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
  const windows = createHashTable(count);
  return {
    gram: gramShape(length),
    grams: Math.min(MAX_GRAMS, window - length + 1),
    window,
    words: new Int32Array(2 ** (MIN_BITS - 5)),
    shift: BITS_IN_HASH - MIN_BITS,
    pairs: new Int32Array(PAIRS / 32),
    places: createHashTable(0),
    placeCount: 0,
    windows,
    next: new Int32Array(capacity(windows) + 1),
    nextApart: new Int32Array(capacity(windows) + 1),
    offsets: new Uint8Array(capacity(windows) + 1),
    lengths: new Int32Array(capacity(windows) + 1),
  };
}

/** Shorter grams mean fewer places to look at, but more grams that are found by chance. */
function gramLength(window: number, count: number): number {
  if (window < 6) return 3;
  if (count <= MANY) return window < 8 ? 3 : 4;
  if (window < 10) return 4;
  return count <= MOST ? 5 : 6;
}

/** Enough bits that few grams are found by chance, in words that fit into the cache. The limits are powers of 2. */
const BITS_FOR_GRAM = 32;
const MIN_BITS = 17;
const MAX_BITS = 24;

/** Those of a hash, and those of a word that it chooses. */
const BITS_IN_HASH = 32 + 5;

/** Does a window perhaps have this gram? */
export function hasBits({ words, shift }: GramTables, hash: number): boolean {
  const word = words[hash >>> shift] ?? 0;
  return ((word >>> (hash >>> 3)) & (word >>> (hash >>> 8)) & 1) !== 0;
}

function setBits({ words, shift }: GramTables, hash: number): void {
  const word = hash >>> shift;
  words[word] = (words[word] ?? 0) | (1 << (hash >>> 3)) | (1 << (hash >>> 8));
}

const PAIRS = 65_536;

/** Does a gram begin with these two bytes? */
export function hasPair({ pairs }: GramTables, pair: number): boolean {
  return (((pairs[pair >>> 5] ?? 0) >>> pair) & 1) !== 0;
}

export function setPair({ pairs }: GramTables, pair: number): void {
  pairs[pair >>> 5] = (pairs[pair >>> 5] ?? 0) | (1 << pair);
}

/** Remembers that a window has the gram with this hash at this place. */
export function addPlace(tables: GramTables, hash: number, place: number): void {
  if (isFull(tables.places, tables.placeCount + 1)) growPlaces(tables);
  const { places } = tables;
  const slot = slotFor(places, hash);
  if (places[slot + 1] === 0) tables.placeCount += 1;
  places[slot] = hash;
  places[slot + 1] = (places[slot + 1] ?? 0) | (1 << place);
  setBits(tables, hash);
}

/** Doubles the hash table, and the words if they have too few bits for so many grams. */
function growPlaces(tables: GramTables): void {
  const old = tables.places;
  tables.places = new Int32Array(2 * old.length);
  const bits = Math.min(MAX_BITS, Math.ceil(Math.log2(BITS_FOR_GRAM * capacity(tables.places))));
  if (bits > BITS_IN_HASH - tables.shift) {
    tables.words = new Int32Array(2 ** (bits - 5));
    tables.shift = BITS_IN_HASH - bits;
  }
  for (let slot = 0; slot < old.length; slot += 2) {
    const places = old[slot + 1] ?? 0;
    if (places === 0) continue;
    const hash = old[slot] ?? 0;
    const to = slotFor(tables.places, hash);
    tables.places[to] = hash;
    tables.places[to + 1] = places;
    setBits(tables, hash);
  }
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

import { findLong, findShort, gramHash, lastGramHash, lowPair, textGramHash, windowHash } from "./gram.ts";
import {
  addPlace,
  type ByteSpan,
  chooseWindow,
  countGrams,
  createTables,
  type GramTables,
  hasBits,
  hasPair,
  isFull,
  lookUp,
  setPair,
  slotFor,
} from "./gram-tables.ts";
import type { Haystack } from "./haystack.ts";
import type { Alphabet, PatternKind, PatternStore } from "./pattern-store.ts";
import { type MatchVisitor, Verifier } from "./verifier.ts";

/** The number of parts of a text that are searched at once. */
const LANES = 4;

/**
 * Finds patterns by looking at one gram in many. For each pattern it remembers all grams of a window, which is a part
 * of the pattern. If a window has n grams, looking at every nth place of a text meets exactly one gram of each window
 * in the text. Only there it compares: first the hash of the window, then the pattern. All windows are at most as long
 * as the shortest pattern, so one that is much shorter than the others slows the search down.
 */
export class GramFilter {
  readonly #store: PatternStore;
  readonly #alphabet: Alphabet;
  readonly #kind: PatternKind;
  /** The number of patterns of the store that have been added, and of the changes of neighbours that have been. */
  #seen = 0;
  #changesSeen = 0;
  /** What the store had when both were counted. */
  #revision = 0;
  /** The entries of the patterns, by their ids. Made when the neighbours of a pattern change. */
  #entries: Map<number, number> | null = null;
  /** By entry of the tables: the id of its pattern. */
  #ids: number[] = [];
  #tables: GramTables | null = null;
  #shortest = Infinity;
  /** The largest distance from the beginning of a pattern to the end of its window. */
  reach = 0;
  /**
   * The places that the last search has to verify: room for all places of each lane, and the number of places in each.
   */
  #candidates = new Int32Array(0);
  readonly #counts = new Int32Array(LANES);

  constructor(store: PatternStore, alphabet: Alphabet, kind: PatternKind) {
    this.#store = store;
    this.#alphabet = alphabet;
    this.#kind = kind;
  }

  /** Follows the store, which may have more patterns and neighbours. */
  update(): void {
    if (this.#revision !== this.#store.revision) this.#follow();
  }

  #follow(): void {
    const { revision, neighbourChanges } = this.#store;
    for (; this.#changesSeen < neighbourChanges.length; this.#changesSeen++) {
      this.#sortOut(neighbourChanges[this.#changesSeen] ?? 0);
    }
    this.#addNew();
    this.#revision = revision;
  }

  /** Finds out again which patterns can be skipped that have the same window as this one. */
  #sortOut(id: number): void {
    const tables = this.#tables;
    this.#entries ??= new Map(this.#ids.map((known, entry) => [known, entry]));
    const entry = this.#entries.get(id);
    if (tables === null || entry === undefined) return;
    const start = this.#span(entry).start + (tables.offsets[entry] ?? 0);
    const chain: number[] = [];
    let link = lookUp(tables.windows, windowHash(this.#store.view, start, tables.window));
    for (; link !== 0; link = tables.next[link - 1] ?? 0) chain.push(link - 1);
    for (const other of chain.toReversed()) tables.nextApart[other] = this.#nextApart(tables, other);
  }

  #addNew(): void {
    const store = this.#store;
    let known = this.#ids.length;
    for (; this.#seen < store.size; this.#seen++) {
      if (store.kindOf(this.#seen, this.#alphabet) !== this.#kind) continue;
      this.#ids.push(this.#seen);
      this.#shortest = Math.min(this.#shortest, store.length(this.#seen, this.#alphabet));
    }
    const tables = this.#tables;
    if (tables === null || this.#shortest < tables.window || this.#ids.length > 2 * known) {
      if (this.#ids.length > 0) this.#build();
      return;
    }
    for (; known < this.#ids.length; known++) {
      if (isFull(tables.windows, known)) {
        this.#build();
        return;
      }
      const taken = (hash: number) => (hasBits(tables, hash) ? 4 : 0);
      this.#enter(tables, known, chooseWindow(store.view, this.#span(known), tables, taken));
      this.#entries?.set(this.#ids[known] ?? 0, known);
    }
  }

  #span(entry: number): ByteSpan {
    const id = this.#ids[entry] ?? 0;
    return { start: this.#store.start(id, this.#alphabet), length: this.#store.length(id, this.#alphabet) };
  }

  /** Visits all patterns that begin at `from` or later and before `to`. */
  find(haystack: Haystack, from: number, to: number, visitor: MatchVisitor): void {
    const tables = this.#tables;
    const end = Math.min(haystack.length, to - 1 + this.reach);
    if (tables === null || end - from < tables.window) return;
    haystack.load(from, end);
    const { low, base } = haystack;
    const { gram, grams } = tables;
    const last = end - base - gram.length;
    const lastInFours = Math.min(last, low.byteLength - 4);
    const verifier = new Verifier(this.#store, haystack, visitor, { from, to, end });
    const first = from - base;
    const room = (Math.floor((lastInFours - first) / grams) + 1) >> 2;
    this.#listCandidates(tables, low, first, room);
    // From left to right, so that what lies within a match need not be compared.
    for (let lane = 0; lane < LANES; lane++) {
      const laneEnd = lane * room + (this.#counts[lane] ?? 0);
      for (let index = lane * room; index < laneEnd; index++) {
        const at = this.#candidates[index] ?? 0;
        this.#verifyAt(tables, haystack, at, gramHash(low, at, gram), verifier);
      }
    }
    for (let at = first + 4 * room * grams; at <= last; at += grams) {
      const hash = at <= lastInFours ? gramHash(low, at, gram) : lastGramHash(low, at, gram);
      if (hasBits(tables, hash)) this.#verifyAt(tables, haystack, at, hash, verifier);
    }
  }

  /** Lists the places whose gram has its bits set, in four lanes of `room` places each. */
  #listCandidates(tables: GramTables, low: DataView, first: number, room: number): void {
    const { gram, grams, words, shift } = tables;
    const lane = room * grams;
    const end = first + lane;
    if (this.#candidates.length < 4 * room) this.#candidates = new Int32Array(4 * room);
    this.#counts.fill(0);
    for (let at = first; at < end; at += grams) {
      at =
        gram.far === 0
          ? findShort(words, low, at, end, grams, lane, shift, gram.factor)
          : findLong(words, low, at, end, grams, lane, shift, gram.far);
      if (at < end) this.#add(tables, low, at, room);
    }
  }

  /** Adds this place of each of the four lanes whose gram has its bits set. */
  #add(tables: GramTables, low: DataView, first: number, room: number): void {
    for (let lane = 0; lane < LANES; lane++) {
      const at = first + lane * room * tables.grams;
      if (!hasBits(tables, gramHash(low, at, tables.gram))) continue;
      const count = this.#counts[lane] ?? 0;
      this.#candidates[lane * room + count] = at;
      this.#counts[lane] = count + 1;
    }
  }

  /** Can this text contain a pattern? The cheapest check for short texts. */
  mayFind(text: string): boolean {
    const tables = this.#tables;
    if (tables === null) return false;
    const { gram, grams, places } = tables;
    for (let at = 0; at <= text.length - gram.length; at += grams) {
      if (!hasPair(tables, lowPair(text, at))) continue;
      const hash = textGramHash(text, at, gram);
      if (hasBits(tables, hash) && lookUp(places, hash) !== 0) return true;
    }
    return false;
  }

  #verifyAt(tables: GramTables, { low, base }: Haystack, at: number, hash: number, verifier: Verifier): void {
    const { gram, places, windows, window, next, nextApart, offsets, lengths } = tables;
    const { from, end } = verifier.range;
    let bits = lookUp(places, hash);
    while (bits !== 0) {
      const bit = 31 - Math.clz32(bits);
      bits ^= 1 << bit;
      const start = base + at - bit;
      if (start < from || start + window > end) continue;
      // In a text that repeats the middle of windows, most places have no beginning of one.
      if (bit > 0 && (lookUp(places, gramHash(low, start - base, gram)) & 1) === 0) continue;
      let entry = lookUp(windows, windowHash(low, start - base, window));
      while (entry !== 0) {
        const index = entry - 1;
        const skipsShorter = verifier.verify(this.#ids[index] ?? 0, start - (offsets[index] ?? 0), lengths[index] ?? 0);
        entry = (skipsShorter ? nextApart[index] : next[index]) ?? 0;
      }
    }
  }

  #build(): void {
    const tables = createTables(this.#ids.length, this.#shortest);
    this.#tables = tables;
    this.#entries = null;
    this.reach = 0;
    // Each pattern is put before those with the same window, so in the end the longest comes first.
    this.#ids.sort((a, b) => this.#store.length(a, this.#alphabet) - this.#store.length(b, this.#alphabet));
    const spans = this.#ids.map((_, entry) => this.#span(entry));
    const counts = countGrams(this.#store.view, spans, tables);
    const frequency = (hash: number) => counts[hash >>> 16] ?? 0;
    for (const [entry, span] of spans.entries()) {
      this.#enter(tables, entry, chooseWindow(this.#store.view, span, tables, frequency));
    }
  }

  #enter(tables: GramTables, entry: number, offset: number): void {
    const { gram, grams, windows, window, next, offsets, lengths } = tables;
    const span = this.#span(entry);
    const start = span.start + offset;
    for (let place = 0; place < grams; place++) {
      const hash = gramHash(this.#store.view, start + place, gram);
      addPlace(tables, hash, place);
      setPair(tables, this.#store.view.getUint16(start + place, true));
    }
    const hash = windowHash(this.#store.view, start, window);
    const slot = slotFor(windows, hash);
    next[entry] = windows[slot + 1] ?? 0;
    windows[slot] = hash;
    windows[slot + 1] = entry + 1;
    offsets[entry] = offset;
    lengths[entry] = span.length;
    tables.nextApart[entry] = this.#nextApart(tables, entry);
    this.reach = Math.max(this.reach, offset + window);
  }

  /** Returns the next entry with the same window, plus 1, that still counts where this one is there. */
  #nextApart({ next, nextApart, offsets, lengths }: GramTables, entry: number): number {
    const isWithin = (other: number) =>
      offsets[other] === offsets[entry] &&
      this.#store.isWithin(this.#ids[other] ?? 0, lengths[other] ?? 0, lengths[entry] ?? 0);
    let other = next[entry] ?? 0;
    while (other !== 0 && isWithin(other - 1)) other = nextApart[other - 1] ?? 0;
    return other;
  }
}

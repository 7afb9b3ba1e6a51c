import { findLong, findNear, gramHash, lastGramHash, textGramHash, windowHash } from "./gram.ts";
import { createTables, type GramTables, hasSlot, isFull, lookUp, slotFor, takeSlot } from "./gram-tables.ts";
import type { Alphabet, PatternStore } from "./pattern-store.ts";
import type { Subject } from "./subject.ts";
import { type ByteSpan, chooseWindow, countGrams } from "./window-choice.ts";

/** Learns where patterns stand. */
export interface MatchVisitor {
  /** All units of the pattern stand there. Does it count? */
  match(id: number, start: number): boolean;
  /** Do matches that the end of the text cuts off matter? */
  readonly wantsCutOff: boolean;
  /** The end of the text cuts it off, or comes right behind it. Does nothing count any more that begins later? */
  cutOff(id: number, start: number): boolean;
}

/** Where patterns may begin, and where the last window ends. */
interface SearchRange {
  readonly from: number;
  readonly to: number;
  readonly end: number;
}

/**
 * Finds patterns by looking at one gram in many. Of each pattern it remembers a window, some bytes of it, by all grams in there.
 * Looking at one place in as many as a window has grams meets a gram of each window in the text exactly once; only there it
 * compares: the window by its hash, and then the pattern. The shortest pattern is as long as all windows: one that is much
 * shorter than the others makes the search slow.
 */
export class GramFilter {
  readonly #store: PatternStore;
  readonly #alphabet: Alphabet;
  readonly #wholeWord: boolean;
  /** So many patterns of the store have been looked at. */
  #seen = 0;
  /** Parallel lists, an entry for each pattern: which one, its window's offset, the next entry with the same window, and 1. */
  #ids: number[] = [];
  #offsets: number[] = [];
  #next: number[] = [];
  #tables: GramTables | null = null;
  #shortest = Infinity;
  /** How far behind the beginning of a pattern its window ends at most. */
  reach = 0;
  #placeCount = 0;
  #coverStart = 0;
  #coverEnd = 0;

  constructor(store: PatternStore, alphabet: Alphabet, wholeWord: boolean) {
    this.#store = store;
    this.#alphabet = alphabet;
    this.#wholeWord = wholeWord;
  }

  /** Takes in what the store has got since. */
  update(): void {
    const store = this.#store;
    if (this.#seen === store.size) return;
    let known = this.#ids.length;
    for (; this.#seen < store.size; this.#seen++) {
      if (store.wholeWord[this.#seen] !== this.#wholeWord) continue;
      this.#ids.push(this.#seen);
      this.#shortest = Math.min(this.#shortest, store.length(this.#seen, this.#alphabet));
    }
    const tables = this.#tables;
    if (tables === null || this.#shortest < tables.window || this.#ids.length > 2 * known) {
      if (this.#ids.length > 0) this.#build();
      return;
    }
    for (; known < this.#ids.length; known++) {
      if (isFull(tables.places, this.#placeCount + tables.grams) || isFull(tables.windows, known)) {
        this.#build();
        return;
      }
      const taken = (hash: number) => (hasSlot(tables, hash) ? 4 : 0);
      this.#enter(tables, known, chooseWindow(store.view, this.#span(known), tables, taken));
    }
  }

  #span(entry: number): ByteSpan {
    const id = this.#ids[entry] ?? 0;
    return { start: this.#store.start(id, this.#alphabet), length: this.#store.length(id, this.#alphabet) };
  }

  /** Visits all patterns that begin from `from` on and before `to`. */
  find(subject: Subject, from: number, to: number, visitor: MatchVisitor): void {
    const tables = this.#tables;
    const end = Math.min(subject.length, to - 1 + this.reach);
    if (tables === null || end - from < tables.window) return;
    subject.load(from, end);
    const { low, base } = subject;
    const { gram, grams, slots, shift } = tables;
    const last = end - base - gram.length;
    const lastInFours = Math.min(last, low.byteLength - 4);
    this.#coverStart = 0;
    this.#coverEnd = 0;
    let at = from - base;
    while (at <= last) {
      at =
        slots instanceof Uint8Array
          ? findNear(slots, low, at, lastInFours, grams, shift, gram.mask)
          : findLong(slots, low, at, lastInFours, grams, shift, gram.far);
      for (let turn = 0; turn < 4 && at <= last; turn++, at += grams) {
        const hash = at <= lastInFours ? gramHash(low, at, gram) : lastGramHash(low, at, gram);
        if (hasSlot(tables, hash)) this.#lookCloser(tables, subject, at, hash, { from, to, end }, visitor);
      }
    }
  }

  /** Can there be a pattern in this text? For short texts, this is what costs least. */
  mayFind(text: string): boolean {
    const tables = this.#tables;
    if (tables === null) return false;
    const { gram, grams, places } = tables;
    for (let at = 0; at <= text.length - gram.length; at += grams) {
      const hash = textGramHash(text, at, gram);
      if (hasSlot(tables, hash) && lookUp(places, hash) !== 0) return true;
    }
    return false;
  }

  #lookCloser(
    { places, windows, window }: GramTables,
    subject: Subject,
    at: number,
    hash: number,
    { from, to, end }: SearchRange,
    visitor: MatchVisitor,
  ): void {
    const { low, base } = subject;
    let offsets = lookUp(places, hash);
    while (offsets !== 0) {
      const bit = 31 - Math.clz32(offsets);
      offsets ^= 1 << bit;
      const windowStart = at - bit;
      if (windowStart < from - base || windowStart + window > end - base) continue;
      let entry = lookUp(windows, windowHash(low, windowStart, window));
      for (; entry !== 0; entry = this.#next[entry - 1] ?? 0) {
        const start = windowStart + base - (this.#offsets[entry - 1] ?? 0);
        if (start >= from && start < to) this.#compare(subject, this.#ids[entry - 1] ?? 0, start, visitor);
      }
    }
  }

  #compare(subject: Subject, id: number, start: number, visitor: MatchVisitor): void {
    const length = this.#store.length(id, this.#alphabet);
    const end = start + length;
    if (this.#isCovered(id, start, end)) return;
    const isCutOff = end > subject.length;
    if (isCutOff && !visitor.wantsCutOff) return;
    if (!subject.hasPattern(this.#store, id, start, isCutOff ? subject.length - start : length)) return;
    if (end >= subject.length && visitor.wantsCutOff && visitor.cutOff(id, start)) this.#cover(start, Infinity);
    else if (!isCutOff && visitor.match(id, start)) this.#cover(start, end);
  }

  /** What lies within another occurrence changes nothing, with the neighbours that belong to it or without. */
  #isCovered(id: number, start: number, end: number): boolean {
    if (start !== this.#coverStart) return start > this.#coverStart && end < this.#coverEnd;
    return this.#coverEnd !== Infinity && end + 1 < this.#coverEnd && this.#store.before[id] === "";
  }

  #cover(start: number, end: number): void {
    if (end < this.#coverEnd || (end === this.#coverEnd && start > this.#coverStart)) return;
    this.#coverStart = start;
    this.#coverEnd = end;
  }

  #build(): void {
    const tables = createTables(this.#ids.length, this.#shortest);
    this.#tables = tables;
    this.reach = 0;
    this.#placeCount = 0;
    // The longest first in the end, for each is put before those with the same window.
    this.#ids.sort((a, b) => this.#store.length(a, this.#alphabet) - this.#store.length(b, this.#alphabet));
    const spans = this.#ids.map((_, entry) => this.#span(entry));
    const counts = countGrams(this.#store.view, spans, tables);
    const frequency = (hash: number) => counts[hash >>> 16] ?? 0;
    for (const [entry, span] of spans.entries()) {
      this.#enter(tables, entry, chooseWindow(this.#store.view, span, tables, frequency));
    }
  }

  #enter(tables: GramTables, entry: number, offset: number): void {
    const { gram, grams, places, windows, window } = tables;
    const start = this.#span(entry).start + offset;
    for (let place = 0; place < grams; place++) {
      const hash = gramHash(this.#store.view, start + place, gram);
      takeSlot(tables, hash);
      const slot = slotFor(places, hash);
      if (places[slot + 1] === 0) this.#placeCount += 1;
      places[slot] = hash;
      places[slot + 1] = (places[slot + 1] ?? 0) | (1 << place);
    }
    const hash = windowHash(this.#store.view, start, window);
    const slot = slotFor(windows, hash);
    this.#next[entry] = windows[slot + 1] ?? 0;
    windows[slot] = hash;
    windows[slot + 1] = entry + 1;
    this.#offsets[entry] = offset;
    this.reach = Math.max(this.reach, offset + window);
  }
}

import type { Haystack } from "./haystack.ts";
import type { PatternStore } from "./pattern-store.ts";

/** Receives the places where patterns are found. */
export interface MatchVisitor {
  /** All units of the pattern are there. @returns whether the match counts */
  match(id: number, start: number): boolean;
  /** Does the visitor want matches that the end of the text cuts off? */
  readonly wantsCutOff: boolean;
  /** The end of the text cuts the pattern off or follows it. @returns whether later matches can be skipped */
  cutOff(id: number, start: number): boolean;
}

/** Where patterns may begin, and where the searched text ends. */
interface SearchRange {
  readonly from: number;
  readonly to: number;
  readonly end: number;
}

/** A place behind all others. Not `Infinity`, so that V8 keeps it as an integer. */
const UNBOUNDED = 2 ** 31 - 1;

/** Compares patterns with a text, at places that come from left to right. */
export class Verifier {
  readonly range: SearchRange;
  readonly #store: PatternStore;
  readonly #haystack: Haystack;
  readonly #visitor: MatchVisitor;
  /** The last match that counts and extends the furthest. */
  #coverStart = 0;
  #coverEnd = 0;

  constructor(store: PatternStore, haystack: Haystack, visitor: MatchVisitor, range: SearchRange) {
    this.range = range;
    this.#store = store;
    this.#haystack = haystack;
    this.#visitor = visitor;
  }

  /** Tells the visitor if the pattern, which has this length, is there. Returns whether shorter ones can be skipped. */
  verify(id: number, start: number, length: number): boolean {
    const end = start + length;
    if (this.#isCovered(id, start, end)) return true;
    if (start < this.range.from || start >= this.range.to) return false;
    const haystack = this.#haystack;
    const visitor = this.#visitor;
    const isCutOff = end > haystack.length;
    if (isCutOff && !visitor.wantsCutOff) return false;
    if (!haystack.hasPattern(this.#store, id, start, isCutOff ? haystack.length - start : length)) return false;
    if (end >= haystack.length && visitor.wantsCutOff && visitor.cutOff(id, start)) {
      this.#cover(start, UNBOUNDED);
      return false;
    }
    if (isCutOff || !visitor.match(id, start)) return false;
    this.#cover(start, end);
    return true;
  }

  /** A match within another one changes nothing, with or without the neighbours that belong to it. */
  #isCovered(id: number, start: number, end: number): boolean {
    if (start !== this.#coverStart) return start > this.#coverStart && end < this.#coverEnd;
    return this.#coverEnd !== UNBOUNDED && this.#store.isWithin(id, end, this.#coverEnd);
  }

  #cover(start: number, end: number): void {
    if (end < this.#coverEnd || (end === this.#coverEnd && start > this.#coverStart)) return;
    this.#coverStart = start;
    this.#coverEnd = end;
  }
}

import type { Haystack } from "./haystack.ts";
import type { PatternStore } from "./pattern-store.ts";

/** Learns where patterns stand. */
export interface MatchVisitor {
  /** All units of the pattern stand there. @returns whether that counts */
  match(id: number, start: number): boolean;
  /** Do matches that the end of the text cuts off matter? */
  readonly wantsCutOff: boolean;
  /** The end of the text cuts it off, or comes right behind it. @returns whether matches that begin later need no look */
  cutOff(id: number, start: number): boolean;
}

/** Where patterns may begin, and where what is searched for them ends. */
interface SearchRange {
  readonly from: number;
  readonly to: number;
  readonly end: number;
}

/** Compares patterns with what stands in a text, at places that come from left to right. */
export class Verifier {
  readonly range: SearchRange;
  readonly #store: PatternStore;
  readonly #haystack: Haystack;
  readonly #visitor: MatchVisitor;
  /** The last match that counts and reaches the furthest. */
  #coverStart = 0;
  #coverEnd = 0;

  constructor(store: PatternStore, haystack: Haystack, visitor: MatchVisitor, range: SearchRange) {
    this.range = range;
    this.#store = store;
    this.#haystack = haystack;
    this.#visitor = visitor;
  }

  /** Tells the visitor if the pattern stands there. */
  verify(id: number, start: number): void {
    if (start < this.range.from || start >= this.range.to) return;
    const haystack = this.#haystack;
    const visitor = this.#visitor;
    const length = this.#store.length(id, haystack.alphabet);
    const end = start + length;
    if (this.#isCovered(id, start, end)) return;
    const isCutOff = end > haystack.length;
    if (isCutOff && !visitor.wantsCutOff) return;
    if (!haystack.hasPattern(this.#store, id, start, isCutOff ? haystack.length - start : length)) return;
    if (end >= haystack.length && visitor.wantsCutOff && visitor.cutOff(id, start)) this.#cover(start, Infinity);
    else if (!isCutOff && visitor.match(id, start)) this.#cover(start, end);
  }

  /** What lies within another match changes nothing, with the neighbours that belong to it or without. */
  #isCovered(id: number, start: number, end: number): boolean {
    if (start !== this.#coverStart) return start > this.#coverStart && end < this.#coverEnd;
    return this.#coverEnd !== Infinity && end + 1 < this.#coverEnd && this.#store.before[id] === "";
  }

  #cover(start: number, end: number): void {
    if (end < this.#coverEnd || (end === this.#coverEnd && start > this.#coverStart)) return;
    this.#coverStart = start;
    this.#coverEnd = end;
  }
}

import type { Haystack } from "./haystack.ts";
import type { PatternStore } from "./pattern-store.ts";

/** Is told where patterns are found. */
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

  /** Tells the visitor if the pattern is there. */
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

  /** A match within another one changes nothing, with or without the neighbours that belong to it. */
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

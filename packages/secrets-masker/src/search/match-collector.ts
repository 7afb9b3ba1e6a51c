import type { Haystack } from "./haystack.ts";
import type { PatternStore } from "./pattern-store.ts";
import type { PlainText } from "./plain-text.ts";
import type { Owner } from "./tally.ts";
import type { MatchVisitor } from "./verifier.ts";
import { isWordEnd, isWordStart } from "./word-boundary.ts";

/**
 * A place where a pattern stands. `start` and `end` (exclusive) include the neighbours that belong to it; `textStart` is where its
 * own text begins. One that nobody owns is the placeholder.
 */
export interface Match {
  readonly textStart: number;
  readonly start: number;
  readonly end: number;
  readonly owners: readonly Owner[];
  /** Which of two with the same place comes first. */
  readonly rank: number;
}

/** What the end of a text is: the end of all; the end of what is there by now; or where something was cut off for good. */
export type TextEnd = "whole" | "open" | "cut off";

/** So many units of a value at an end that cuts it off are masked. */
const MIN_CUT_OFF = 8;

/** The order in which matches are visited. */
export function compareMatches(a: Match, b: Match): number {
  return a.textStart - b.textStart || a.start - b.start || b.end - a.end || a.rank - b.rank;
}

/** With more units of escape sequences inside, a value is not found. */
const MAX_ESCAPES = 16_384;

/** Whole patterns come before those that are cut off. */
const CUT_OFF_RANK = 2 ** 32;

/**
 * Collects the matches of patterns. In a plain text it leaves out those without an escape sequence inside: they are found in the raw
 * one. Words and neighbours are judged by what stands in the raw text, so that a colour beside a word ends it, and one inside
 * does not: four characters with a colour between them are masked where they would be without it.
 */
export class MatchCollector implements MatchVisitor {
  /** The text in which matches are found. */
  readonly text: Haystack;
  /** Is it still open what comes right behind the text? */
  readonly isNextOpen: boolean;
  readonly wantsCutOff: boolean;
  /** The first match that more text can change; `Infinity` where there is none. */
  undecidedFrom: number = Infinity;
  #found: Match[] = [];
  readonly #store: PatternStore;
  readonly #raw: Haystack;
  readonly #plain: PlainText | null;
  readonly #end: TextEnd;

  constructor(store: PatternStore, raw: Haystack, plain: PlainText | null, end: TextEnd) {
    this.text = plain?.text ?? raw;
    this.#store = store;
    this.#raw = raw;
    this.#plain = plain;
    this.#end = end;
    this.wantsCutOff = end !== "whole";
    this.isNextOpen = end === "open" && this.toRaw(this.text.length - 1) === raw.length - 1;
  }

  match(id: number, textStart: number): boolean {
    const length = this.#store.length(id, this.#raw.alphabet);
    const start = this.toRaw(textStart);
    const end = this.toRaw(textStart + length - 1) + 1;
    if (this.#plain !== null && end - start === length) return true;
    if (end - start > length + MAX_ESCAPES) return false;
    const isWord = this.#store.wholeWord[id] === true;
    if (isWord && !(isWordStart(this.#raw, start) && isWordEnd(this.#raw, end))) return false;
    this.#add(id, start, end, id);
    return true;
  }

  cutOff(id: number, textStart: number): boolean {
    const length = this.#store.length(id, this.#raw.alphabet);
    const available = Math.min(length, this.text.length - textStart);
    const isWord = this.#store.wholeWord[id] === true;
    if (available === length && !(this.isNextOpen && this.#store.dependsOnNext(id))) return false;
    if (!this.canGoOn(textStart, isWord)) return false;
    const start = this.toRaw(textStart);
    if (this.#end === "open") {
      this.undecidedFrom = Math.min(this.undecidedFrom, start);
      return true;
    }
    if (available < MIN_CUT_OFF) return false;
    this.#add(id, start, this.toRaw(textStart + available - 1) + 1, id + CUT_OFF_RANK);
    return true;
  }

  /** Can a pattern that begins there go on behind the end of the text? */
  canGoOn(textStart: number, wholeWord: boolean): boolean {
    const start = this.toRaw(textStart);
    const escapes = this.#plain === null ? 0 : this.#plain.rawEnd - start - (this.text.length - textStart);
    return escapes <= MAX_ESCAPES && (!wholeWord || isWordStart(this.#raw, start));
  }

  /** The matches since the last time, in any order. */
  take(): readonly Match[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  toRaw(position: number): number {
    return this.#plain?.toRaw(position) ?? position;
  }

  fromRaw(position: number): number {
    return this.#plain?.fromRaw(position) ?? position;
  }

  #add(id: number, textStart: number, textEnd: number, rank: number): void {
    const { before, after, owners } = this.#store;
    this.#found.push({
      textStart,
      start: textStart > 0 && this.#isOneOf(before[id], textStart - 1) ? textStart - 1 : textStart,
      end: this.#isOneOf(after[id], textEnd) ? textEnd + 1 : textEnd,
      owners: owners[id] ?? [],
      rank,
    });
  }

  #isOneOf(units = "", position: number): boolean {
    if (units === "") return false;
    const unit = this.#raw.unitAt(position);
    return unit >= 0 && units.includes(String.fromCharCode(unit));
  }
}

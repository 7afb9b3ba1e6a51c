import type { Haystack } from "./haystack.ts";
import type { PatternStore } from "./pattern-store.ts";
import type { PlainText } from "./plain-text.ts";
import type { Owner } from "./tally.ts";
import type { MatchVisitor } from "./verifier.ts";
import { isWordEnd, isWordStart } from "./word-boundary.ts";

/**
 * A place where a pattern was found. `start` and `end` (exclusive) include the neighbours that belong to it;
 * `textStart` is where its own text begins. A match without owners is a placeholder.
 */
export interface Match {
  readonly textStart: number;
  readonly start: number;
  readonly end: number;
  readonly owners: readonly Owner[];
  /** Decides which of two matches at the same place comes first. */
  readonly rank: number;
}

/** What the end of a text is: the end of everything, the end of what has arrived so far, or a final cut. */
export type TextEnd = "whole" | "open" | "cut off";

/** The minimum number of units of a value that are masked before an end that cuts it off. */
const MIN_CUT_OFF = 8;

/** The order in which matches are visited. */
export function compareMatches(a: Match, b: Match): number {
  return a.textStart - b.textStart || a.start - b.start || b.end - a.end || a.rank - b.rank;
}

/** A value with more units of escape sequences inside is not found. */
const MAX_ESCAPES = 16_384;

/** Sorts patterns that are cut off after whole ones. */
const CUT_OFF_RANK = 2 ** 32;

/**
 * Collects the matches of patterns. In a plain text it skips matches without an escape sequence inside, because they
 * are found in the raw text. The raw text decides about words and neighbours: a colour beside a word ends it, a colour
 * inside it does not.
 */
export class MatchCollector implements MatchVisitor {
  /** The text in which matches are found. */
  readonly text: Haystack;
  /** Is it still unknown what follows the text? */
  readonly isNextOpen: boolean;
  readonly wantsCutOff: boolean;
  /** The first match that more text can change, or `Infinity`. */
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
    if (!this.canContinue(textStart, isWord)) return false;
    const start = this.toRaw(textStart);
    if (this.#end === "open") {
      this.undecidedFrom = Math.min(this.undecidedFrom, start);
      return true;
    }
    if (available < MIN_CUT_OFF) return false;
    this.#add(id, start, this.toRaw(textStart + available - 1) + 1, id + CUT_OFF_RANK);
    return true;
  }

  /** Can a pattern that begins there continue after the end of the text? */
  canContinue(textStart: number, wholeWord: boolean): boolean {
    const start = this.toRaw(textStart);
    const escapes = this.#plain === null ? 0 : this.#plain.rawEnd - start - (this.text.length - textStart);
    return escapes <= MAX_ESCAPES && (!wholeWord || isWordStart(this.#raw, start));
  }

  /** Returns the matches since the last call, in any order. */
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

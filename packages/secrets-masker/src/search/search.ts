import type { EncodedText, Subject } from "./haystack.ts";
import { Judge, type Occurrence, type TextEnd } from "./match-collector.ts";
import type { Matcher } from "./matcher.ts";
import { PlaceholderFinder } from "./placeholder-finder.ts";
import { type PlainText, plainTextOf } from "./plain-text.ts";
import type { Tally } from "./tally.ts";

/** What masking takes: what to look for, what to write instead, where to count it. */
export interface MaskRules {
  readonly matcher: Matcher;
  readonly placeholder: EncodedText;
  readonly tally: Tally;
}

/** A search in one text: as it is, and without escape sequences where it has any. */
export class Search {
  readonly text: Subject;
  readonly placeholders: PlaceholderFinder;
  protected readonly matcher: Matcher;
  readonly #raw: Judge;
  readonly #end: TextEnd;
  #plain: { readonly text: PlainText; readonly judge: Judge } | null | undefined;

  constructor({ matcher, placeholder }: MaskRules, text: Subject, end: TextEnd) {
    this.matcher = matcher;
    this.text = text;
    this.placeholders = new PlaceholderFinder(text, placeholder);
    this.#raw = new Judge(matcher.store, text, null, end);
    this.#end = end;
  }

  /** The text without escape sequences; null where it has none. */
  get plain(): PlainText | null {
    return this.#withoutEscapes?.text ?? null;
  }

  protected get judges(): readonly Judge[] {
    const plain = this.#withoutEscapes;
    return plain === null ? [this.#raw] : [this.#raw, plain.judge];
  }

  get #withoutEscapes() {
    if (this.#plain === undefined) {
      const text = plainTextOf(this.text);
      this.#plain = text && { text, judge: new Judge(this.matcher.store, this.text, text, this.#end) };
    }
    return this.#plain;
  }

  /** The first match found so far that more text can change; `Infinity` where there is none. */
  get undecidedFrom(): number {
    return Math.min(this.#raw.undecidedFrom, this.#plain?.judge.undecidedFrom ?? Infinity);
  }

  /** The occurrences whose own text begins from `from` on and before `to`, in any order. */
  find(from: number, to: number): readonly Occurrence[] {
    // The raw text first: that brings it into the cache, where to look for escape sequences takes next to nothing.
    const found = this.#findFor(this.#raw, from, to);
    const plain = this.#withoutEscapes;
    return plain === null ? found : [...found, ...this.#findFor(plain.judge, from, to)];
  }

  #findFor(judge: Judge, from: number, to: number): readonly Occurrence[] {
    this.matcher.find(judge.text, judge.fromRaw(from), judge.fromRaw(to), judge);
    return judge.take();
  }
}

/** A search in bytes that may be a part of a stream. */
export class StreamSearch extends Search {
  /**
   * The first place from `from` on, of those that {@link find} does not judge, that more text can make an
   * occurrence; the text's length for none.
   */
  firstHead(from: number): number {
    const heads = this.judges.map((judge) => {
      const canGoOn = (start: number, wholeWord: boolean) => judge.canGoOn(start, wholeWord);
      const head = this.matcher.firstHead(judge.text, judge.fromRaw(from), judge.isNextOpen, canGoOn);
      return head === null ? this.text.length : judge.toRaw(head);
    });
    return Math.min(this.placeholders.firstHead(from), this.plain?.undecidedFrom ?? Infinity, ...heads);
  }

  /** The occurrences from `from` to the end, with those that the end cuts off. */
  findLast(from: number): readonly Occurrence[] {
    for (const judge of this.judges) this.matcher.findHeads(judge.text, judge.fromRaw(from), judge);
    return this.find(from, this.text.length);
  }
}

import type { EncodedText, Haystack } from "./haystack.ts";
import { type Match, MatchCollector, type TextEnd } from "./match-collector.ts";
import type { Matcher } from "./matcher.ts";
import { PlaceholderFinder } from "./placeholder-finder.ts";
import { type PlainText, plainTextOf } from "./plain-text.ts";
import type { Tally } from "./tally.ts";

/** What to look for, what to write instead, and where to count it. */
export interface MaskRules {
  readonly matcher: Matcher;
  readonly placeholder: EncodedText;
  readonly tally: Tally;
}

/** A search in one text: as it is, and without its escape sequences if it has any. */
export class Search {
  readonly text: Haystack;
  readonly placeholders: PlaceholderFinder;
  protected readonly matcher: Matcher;
  readonly #raw: MatchCollector;
  readonly #end: TextEnd;
  #plain: { readonly text: PlainText; readonly collector: MatchCollector } | null | undefined;

  constructor({ matcher, placeholder }: MaskRules, text: Haystack, end: TextEnd) {
    this.matcher = matcher;
    this.text = text;
    this.placeholders = new PlaceholderFinder(text, placeholder);
    this.#raw = new MatchCollector(matcher.store, text, null, end);
    this.#end = end;
  }

  /** The text without escape sequences; null if it has none. */
  get plain(): PlainText | null {
    return this.#withoutEscapes?.text ?? null;
  }

  protected get collectors(): readonly MatchCollector[] {
    const plain = this.#withoutEscapes;
    return plain === null ? [this.#raw] : [this.#raw, plain.collector];
  }

  get #withoutEscapes() {
    if (this.#plain === undefined) {
      const text = plainTextOf(this.text);
      this.#plain = text && { text, collector: new MatchCollector(this.matcher.store, this.text, text, this.#end) };
    }
    return this.#plain;
  }

  /** The first match found so far that more text can change, or `Infinity`. */
  get undecidedFrom(): number {
    return Math.min(this.#raw.undecidedFrom, this.#plain?.collector.undecidedFrom ?? Infinity);
  }

  /** Returns the matches whose own text begins at `from` or later and before `to`, in any order. */
  find(from: number, to: number): readonly Match[] {
    // The raw text first: it is then in the cache, where looking for escape sequences costs almost nothing.
    const found = this.#findFor(this.#raw, from, to);
    const plain = this.#withoutEscapes;
    return plain === null ? found : [...found, ...this.#findFor(plain.collector, from, to)];
  }

  #findFor(collector: MatchCollector, from: number, to: number): readonly Match[] {
    this.matcher.find(collector.text, collector.fromRaw(from), collector.fromRaw(to), collector);
    return collector.take();
  }
}

/** A search in bytes that may be a part of a stream, from one place on. */
export class StreamSearch extends Search {
  readonly #from: number;
  #head: number | null = null;

  constructor(rules: MaskRules, text: Haystack, end: TextEnd, from: number) {
    super(rules, text, end);
    this.#from = from;
  }

  /** The first place that only more text can make a match, or the length of the text. */
  override get undecidedFrom(): number {
    this.#head ??= this.#firstHead();
    return Math.min(this.#head, super.undecidedFrom);
  }

  #firstHead(): number {
    const heads = this.collectors.map((collector) => {
      const canContinue = (start: number, wholeWord: boolean) => collector.canContinue(start, wholeWord);
      const from = collector.fromRaw(this.#from);
      const head = this.matcher.firstHead(collector.text, from, collector.isNextOpen, canContinue);
      return head === null ? this.text.length : collector.toRaw(head);
    });
    return Math.min(this.placeholders.firstHead(this.#from), this.plain?.undecidedFrom ?? Infinity, ...heads);
  }

  /** Returns the matches up to the end, including those that the end cuts off. */
  findLast(): readonly Match[] {
    for (const collector of this.collectors) {
      this.matcher.findHeads(collector.text, collector.fromRaw(this.#from), collector);
    }
    return this.find(this.#from, this.text.length);
  }
}

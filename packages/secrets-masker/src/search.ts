import { Judge, type Occurrence, type TextEnd } from "./judge.ts";
import type { Matcher } from "./matcher.ts";
import { PlaceholderFinder } from "./placeholder-finder.ts";
import { type PlainText, plainTextOf } from "./plain-text.ts";
import type { EncodedText, Subject } from "./subject.ts";
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
  readonly plain: PlainText | null;
  protected readonly matcher: Matcher;
  protected readonly judges: readonly Judge[];

  constructor({ matcher, placeholder }: MaskRules, text: Subject, end: TextEnd) {
    this.matcher = matcher;
    this.text = text;
    this.placeholders = new PlaceholderFinder(text, placeholder);
    this.plain = plainTextOf(text);
    const raw = new Judge(matcher.store, text, null, end);
    this.judges = this.plain === null ? [raw] : [raw, new Judge(matcher.store, text, this.plain, end)];
  }

  /** The first match found so far that more text can change; `Infinity` where there is none. */
  get undecidedFrom(): number {
    return Math.min(...this.judges.map((judge) => judge.undecidedFrom));
  }

  /** The occurrences whose own text begins from `from` on and before `to`, in any order. */
  find(from: number, to: number): readonly Occurrence[] {
    for (const judge of this.judges) {
      this.matcher.find(judge.text, judge.fromRaw(from), judge.fromRaw(to), judge);
    }
    return this.judges.flatMap((judge) => judge.take());
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

import { compareMatches, type Match } from "./match-collector.ts";
import type { PlaceholderFinder } from "./placeholder-finder.ts";
import type { Search } from "./search.ts";
import type { Tally } from "./tally.ts";

/** What a placeholder takes the place of. */
export interface Span {
  readonly start: number;
  end: number;
}

/** A row of matches that overlap or touch: one placeholder. */
interface Run {
  end: number;
  isSecret: boolean;
  readonly names: Set<string>;
}

/** So much is searched at a time, for what was found waits in a list. */
const BLOCK = 65_536;

/** Decides from left to right where placeholders go in a text, and counts them. */
export class Redaction {
  /** Every match that begins before this has been visited. */
  visited = 0;
  /** Placeholders that are written already cover the text up to here. */
  written = 0;
  readonly #tally: Tally;
  #run: Run = { end: 0, isSecret: false, names: new Set() };
  /** Where the last placeholder ends that stood in the text already. */
  #opaqueEnd = 0;
  #spans: Span[] = [];

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Visits all matches that begin before `limit` and before the first match that more text can change. */
  advance(search: Search, limit: number): void {
    while (this.visited < Math.min(limit, search.undecidedFrom)) {
      const to = Math.min(limit, this.visited + BLOCK);
      const found = search.find(this.visited, to);
      this.visit(found, search.placeholders, Math.min(to, search.undecidedFrom));
    }
  }

  /** Visits those of these matches, and of the placeholders that stand in the text, that begin before `to`. */
  visit(found: readonly Match[], placeholders: PlaceholderFinder, to: number): void {
    const from = this.visited;
    this.visited = Math.max(from, to);
    const isQuiet = found.length === 0 && this.#run.end <= from && this.#opaqueEnd <= from;
    if (isQuiet && !placeholders.standsAcross(from, to)) return;
    const matches = found.filter(({ textStart }) => textStart < to);
    for (
      let at = placeholders.from(Math.max(from, this.#opaqueEnd));
      at < to;
      at = placeholders.from(this.#opaqueEnd)
    ) {
      this.#opaqueEnd = at + placeholders.length;
      matches.push({ textStart: at, start: at, end: this.#opaqueEnd, owners: [], rank: -1 });
    }
    const isInOrder = matches.every((one, index) => {
      const before = matches[index - 1];
      return before === undefined || compareMatches(before, one) <= 0;
    });
    // They nearly always are, and sorting would take longer than all the rest.
    if (!isInOrder) matches.sort(compareMatches);
    for (const match of matches) this.#visit(match);
  }

  /** What new placeholders take the place of, since the last time: they count as written from now on. */
  takeSpans(): readonly Span[] {
    const spans = this.#spans;
    this.#spans = [];
    this.written = spans.at(-1)?.end ?? this.written;
    return spans;
  }

  /** Forgets so many units at the beginning of the text. */
  shift(count: number): void {
    this.visited = Math.max(0, this.visited - count);
    this.written = Math.max(0, this.written - count);
    this.#run.end -= count;
    this.#opaqueEnd -= count;
  }

  #visit({ start, end, owners }: Match): void {
    const isSecret = owners.length > 0;
    const run = this.#run;
    if (end <= run.end) return;
    // A placeholder that stands in the text already and only touches is text like any other: it stays as it is.
    if (start < run.end || (start === run.end && isSecret && run.isSecret)) {
      run.end = end;
      run.isSecret ||= isSecret;
      const span = this.#spans.at(-1);
      if (span === undefined) this.written = end;
      else span.end = end;
    } else {
      this.#run = { end, isSecret, names: new Set() };
      this.#spans.push({ start, end });
    }
    for (const owner of owners) {
      this.#tally.add(owner, !this.#run.names.has(owner.name));
      this.#run.names.add(owner.name);
    }
  }
}

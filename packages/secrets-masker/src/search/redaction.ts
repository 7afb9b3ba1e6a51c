import { compareMatches, type Match } from "./match-collector.ts";
import type { PlaceholderFinder } from "./placeholder-finder.ts";
import type { Search } from "./search.ts";
import type { Tally } from "./tally.ts";

/** The text that a placeholder replaces. */
export interface Span {
  readonly start: number;
  end: number;
}

/** Consecutive matches that overlap or touch: one placeholder replaces them. */
interface Run {
  end: number;
  isSecret: boolean;
  /** The names that have been counted for it. A set only from the second one on, because most runs have one. */
  name: string | null;
  moreNames: Set<string> | null;
}

/** The number of units that are searched at a time, because matches are collected in a list. */
const BLOCK = 65_536;

/** Decides from left to right where placeholders go in a text, and counts what they replace. */
export class Redaction {
  /** Every match that begins before this position has been visited. */
  visited = 0;
  /** Placeholders that have already been written cover the text up to here. */
  written = 0;
  readonly #tally: Tally;
  #run: Run = { end: 0, isSecret: false, name: null, moreNames: null };
  /** The end of the last placeholder that was already in the text. */
  #opaqueEnd = 0;
  #spans: Span[] = [];

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Visits all matches that begin before `limit` and before the first match that more text can change. */
  advance(search: Search, limit: number): void {
    let end = limit;
    while (this.visited < end) {
      const to = Math.min(end, this.visited + BLOCK);
      const found = search.find(this.visited, to);
      // Only now, when the text is in the cache.
      end = Math.min(end, search.undecidedFrom);
      this.visit(found, search.placeholders, Math.min(to, end));
    }
  }

  /** Visits the matches, and the placeholders that are already in the text, that begin before `to`. */
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
    // They nearly always are in order, and sorting would take longer than everything else here.
    if (!isInOrder(matches)) matches.sort(compareMatches);
    for (const match of matches) this.#visit(match);
  }

  /** Returns the spans of new placeholders since the last call. They count as written from now on. */
  takeSpans(): readonly Span[] {
    const spans = this.#spans;
    this.#spans = [];
    this.written = spans.at(-1)?.end ?? this.written;
    return spans;
  }

  /** Removes `count` units from the beginning of the text. */
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
    // A placeholder that is already in the text and only touches a match stays as it is, like any other text.
    if (start < run.end || (start === run.end && isSecret && run.isSecret)) {
      run.end = end;
      run.isSecret ||= isSecret;
      const span = this.#spans.at(-1);
      if (span === undefined) this.written = end;
      else span.end = end;
    } else {
      this.#run = { end, isSecret, name: null, moreNames: null };
      this.#spans.push({ start, end });
    }
    for (const owner of owners) this.#tally.add(owner, isNewName(this.#run, owner.name));
  }
}

function isInOrder(matches: readonly Match[]): boolean {
  let [before] = matches;
  for (const match of matches) {
    if (before !== undefined && compareMatches(before, match) > 0) return false;
    before = match;
  }
  return true;
}

/** Remembers the name. Returns whether it is the first time. */
function isNewName(run: Run, name: string): boolean {
  if (run.name === name || run.moreNames?.has(name) === true) return false;
  if (run.name === null) run.name = name;
  else run.moreNames = (run.moreNames ?? new Set()).add(name);
  return true;
}

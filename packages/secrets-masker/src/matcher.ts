import type { Owner } from "./tally.ts";
import { isWordEnd, isWordStart } from "./word-boundary.ts";

/** A text to look for. */
export interface PatternText {
  readonly text: string;
  /** Characters that belong to an occurrence where they stand right before the text. */
  readonly before: string;
  /** The same, right behind it. */
  readonly after: string;
  /** The text counts only where a word can begin before it and end behind it. */
  readonly wholeWord: boolean;
}

/** A text, and whose it is. One that nobody owns is the placeholder. */
interface Pattern extends PatternText {
  readonly owners: Owner[];
  before: string;
  after: string;
}

/** A place where a pattern stands. `start` and `end` (exclusive) include the neighbours that belong to it. */
export interface Occurrence {
  readonly start: number;
  readonly end: number;
  readonly owners: readonly Owner[];
}

/** Finds patterns in a text that may be one piece of a longer one. Any UTF-16 units will do; bytes come as one unit each. */
export interface Matcher {
  /** Counts up whenever all patterns are forgotten. */
  readonly generation: number;
  /** Looks for this text as well, of at least 4 units. Where it is known already, it gets one more owner. */
  add(pattern: PatternText, owner: Owner | null): void;
  /** Whose pattern is exactly this text. */
  ownersOf(text: string): readonly Owner[];
  /**
   * Visits every occurrence of a pattern whose own text begins at `from` or later and before `limit`, in the order in which
   * these texts begin. Where several begin at one place, the one that is masked from further left comes first, then the longer.
   * A pattern that the end of the text cuts off occurs where at least `minCutOff` of its units are there.
   */
  find(text: string, from: number, limit: number, minCutOff: number, visit: (occurrence: Occurrence) => void): void;
  /** The first place from `from` on that cannot be judged before more text is there; the text's length where there is none. */
  undecidedFrom(text: string, from: number): number;
  /** Can an occurrence that begins behind this unit include it? */
  mayExtend(unit: string): boolean;
  clear(): void;
}

/** Units that tell patterns apart: few enough to be there in each, enough to be rare. */
const PREFIX = 4;

/** A simple matcher: one look into a table for each unit of the text. */
export function createMatcher(): Matcher {
  const patterns = new Map<string, Pattern>();
  /** Patterns by the key of their first 1, 2, 3 and 4 units. */
  const byPrefix = new Map<number, Pattern[]>();
  const unitsBefore = new Set<string>();
  let longest = 0;
  let generation = 0;

  function addPattern(text: string, wholeWord: boolean): Pattern {
    const pattern: Pattern = { text, wholeWord, owners: [], before: "", after: "" };
    patterns.set(text, pattern);
    longest = Math.max(longest, text.length);
    let key = 0;
    for (let index = 0; index < PREFIX; index++) {
      key = nextKey(key, text, index);
      const bucket = byPrefix.get(key);
      if (bucket === undefined) byPrefix.set(key, [pattern]);
      else bucket.push(pattern);
    }
    return pattern;
  }

  return {
    get generation() {
      return generation;
    },
    add({ text, before, after, wholeWord }, owner) {
      const pattern = patterns.get(text) ?? addPattern(text, wholeWord);
      if (owner !== null && pattern.owners.every(({ name }) => name !== owner.name)) pattern.owners.push(owner);
      pattern.before = union(pattern.before, before);
      pattern.after = union(pattern.after, after);
      for (const unit of before) unitsBefore.add(unit);
    },
    ownersOf: (text) => patterns.get(text)?.owners ?? [],
    find(text, from, limit, minCutOff, visit) {
      const stop = Math.min(text.length, limit + PREFIX - 1);
      let key = 0;
      for (let index = from; index < stop; index++) {
        key = nextKey(key, text, index);
        const start = index - PREFIX + 1;
        const bucket = start < from ? undefined : byPrefix.get(key);
        if (bucket === undefined) continue;
        const found = bucket.filter((pattern) => standsAt(pattern, text, start, minCutOff));
        const occurrences = found.map((pattern) => occurrenceOf(pattern, text, start));
        for (const occurrence of occurrences.sort((a, b) => a.start - b.start || b.end - a.end)) visit(occurrence);
      }
    },
    undecidedFrom(text, from) {
      for (let start = Math.max(from, text.length - longest); start < text.length; start++) {
        let key = 0;
        const stop = Math.min(text.length, start + PREFIX);
        for (let index = start; index < stop; index++) key = nextKey(key, text, index);
        if (byPrefix.get(key)?.some((pattern) => isUndecidedAt(pattern, text, start))) return start;
      }
      return text.length;
    },
    mayExtend: (unit) => unitsBefore.has(unit),
    clear() {
      patterns.clear();
      byPrefix.clear();
      unitsBefore.clear();
      longest = 0;
      generation += 1;
    },
  };
}

/** Rolls one unit in. Of the units before it only the last three leave a trace in 32 bits. */
function nextKey(key: number, text: string, index: number): number {
  return (key << 8) ^ text.charCodeAt(index);
}

function standsAt(pattern: Pattern, text: string, start: number, minCutOff: number): boolean {
  const { text: own, wholeWord } = pattern;
  const available = text.length - start;
  if (available < own.length) return available >= minCutOff && isUndecidedAt(pattern, text, start);
  // A comparison of slices costs far less than startsWith where the text is long.
  if (text.slice(start, start + own.length) !== own) return false;
  return !wholeWord || (isWordStart(text, start) && isWordEnd(text, start + own.length));
}

/** Can more text make the rest of this one an occurrence, or tell whether it is one and how far it reaches? */
function isUndecidedAt({ text: own, wholeWord, after }: Pattern, text: string, start: number): boolean {
  const available = text.length - start;
  if (available > own.length || (available === own.length && !wholeWord && after === "")) return false;
  return own.slice(0, available) === text.slice(start) && (!wholeWord || isWordStart(text, start));
}

function occurrenceOf({ text: own, before, after, owners }: Pattern, text: string, textStart: number): Occurrence {
  const textEnd = Math.min(text.length, textStart + own.length);
  const start = textStart > 0 && before.includes(text.charAt(textStart - 1)) ? textStart - 1 : textStart;
  const end = textEnd < text.length && after.includes(text.charAt(textEnd)) ? textEnd + 1 : textEnd;
  return { start, end, owners };
}

function union(units: string, more: string): string {
  return [...new Set(units + more)].join("");
}

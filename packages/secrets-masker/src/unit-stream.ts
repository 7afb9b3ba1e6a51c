import type { Matcher, Occurrence } from "./matcher.ts";
import type { Tally } from "./tally.ts";
import { LOOK_BEHIND } from "./word-boundary.ts";

/** What masking takes: what to look for, what to write instead, where to count it. */
export interface MaskRules {
  readonly matcher: Matcher;
  readonly placeholder: string;
  readonly tally: Tally;
}

/** Masks a text that comes in pieces. The output does not depend on where it was cut. `flush` or `finish` is its last call. */
export interface UnitStream {
  /** Takes a piece, gives back what no later piece can change any more. */
  push(units: string): string;
  /** Gives back the rest. What is there of a value that the end cuts off is masked from 8 units on. */
  flush(): string;
  /** Takes the last piece, one that ends where it should, and gives back the rest. */
  finish(units: string): string;
}

/** A row of occurrences that overlap or touch: one placeholder. */
interface Run {
  readonly end: number;
  readonly isSecret: boolean;
  readonly names: Set<string>;
}

const MIN_CUT_OFF = 8;

/** Masks a whole text. */
export function maskUnits(rules: MaskRules, text: string): string {
  return createUnitStream(rules).finish(text);
}

/** The placeholder for a text that is a value from its first unit to its last, null for any other. */
export function maskExact({ matcher, placeholder, tally }: MaskRules, text: string): string | null {
  const owners = matcher.ownersOf(text);
  for (const owner of owners) tally.add(owner, true);
  return owners.length > 0 ? placeholder : null;
}

export function createUnitStream({ matcher, placeholder, tally }: MaskRules): UnitStream {
  /** What is not released yet, and the units before it that matter to it. All positions count from here. */
  let text = "";
  /** Every occurrence that begins before this has been visited. */
  let visited = 0;
  /** Released up to here, as it was or as a placeholder. */
  let released = 0;
  let run: Run = { end: 0, isSecret: false, names: new Set() };
  /** Where the last placeholder ends that stood in the text already. */
  let opaqueEnd = 0;
  let { generation } = matcher;

  function shift(count: number): void {
    text = text.slice(count);
    visited = Math.max(0, visited - count);
    released = Math.max(0, released - count);
    run = { ...run, end: run.end - count };
    opaqueEnd -= count;
  }

  /** Adds a piece. What was held for the sake of values that are forgotten by now must not come out any more. */
  function append(units: string): string {
    const isStale = generation !== matcher.generation && released < text.length;
    if (isStale) shift(text.length);
    generation = matcher.generation;
    text += units;
    return isStale ? placeholder : "";
  }

  function visit({ start, end, owners }: Occurrence): string {
    const isSecret = owners.length > 0;
    if (!isSecret && start < opaqueEnd) return "";
    if (!isSecret) opaqueEnd = end;
    if (end <= run.end) return "";
    // A placeholder that stands in the text already and only touches is text like any other: it stays as it is.
    const continues = start < run.end || (start === run.end && isSecret && run.isSecret);
    const output = continues ? "" : text.slice(released, start) + placeholder;
    run = continues
      ? { end, isSecret: run.isSecret || isSecret, names: run.names }
      : { end, isSecret, names: new Set() };
    released = end;
    for (const owner of owners) {
      tally.add(owner, !run.names.has(owner.name));
      run.names.add(owner.name);
    }
    return output;
  }

  function visitUntil(limit: number, minCutOff = Infinity): string {
    let output = "";
    matcher.find(text, visited, limit, minCutOff, (occurrence) => {
      output += visit(occurrence);
    });
    visited = limit;
    return output;
  }

  function release(end: number): string {
    const output = text.slice(released, end);
    released = Math.max(released, end);
    return output;
  }

  return {
    push(units) {
      const placeholders = append(units);
      const limit = matcher.undecidedFrom(text, visited);
      const output = placeholders + visitUntil(limit);
      const end = matcher.mayExtend(text.charAt(limit - 1)) ? limit - 1 : limit;
      const rest = release(end);
      shift(Math.max(0, limit - LOOK_BEHIND));
      return output + rest;
    },
    flush() {
      return append("") + visitUntil(text.length, MIN_CUT_OFF) + release(text.length);
    },
    finish(units) {
      return append(units) + visitUntil(text.length) + release(text.length);
    },
  };
}

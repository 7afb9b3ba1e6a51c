import { findEscapeSequences } from "./escape-sequences.ts";
import type { Subject } from "./subject.ts";

/** A text as a terminal shows it, without escape sequences, and where its units are in the raw one. */
export interface PlainText {
  readonly text: Subject;
  /** Where the raw text ends, or where a sequence begins that its end cuts off. */
  readonly rawEnd: number;
  /** From where on the raw text can be another plain text than it seems, `Infinity` for nowhere. */
  readonly undecidedFrom: number;
  toRaw(position: number): number;
  /** How many plain units there are before this raw position. */
  fromRaw(position: number): number;
  /** Where the sequence begins that this raw position is inside of; the position itself where there is none. */
  sequenceAround(position: number): number;
}

/** The plain text, null where it is the same. */
export function plainTextOf(raw: Subject): PlainText | null {
  const found = findEscapeSequences(raw);
  if (found === null) return null;
  const { starts, ends } = found;
  const rawEnd = found.cutOffFrom ?? raw.length;
  if (starts.length === 0 && rawEnd === raw.length) return null;
  /** How much is gone before each sequence's end. */
  const removed: number[] = [];
  for (const [index, start] of starts.entries()) {
    removed.push((removed[index - 1] ?? 0) + (ends[index] ?? start) - start);
  }
  const placeOf = (index: number) => (starts[index] ?? 0) - (removed[index - 1] ?? 0);
  const lastBefore = (isBefore: (index: number) => boolean) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(middle)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };
  return {
    text: raw.without([...starts, rawEnd], [...ends, raw.length]),
    rawEnd,
    undecidedFrom: found.isCutInside ? rawEnd : Infinity,
    toRaw: (position) => position + (removed[lastBefore((index) => placeOf(index) <= position)] ?? 0),
    fromRaw(position) {
      const last = lastBefore((index) => (starts[index] ?? 0) < position);
      return last >= 0 && position < (ends[last] ?? 0) ? placeOf(last) : position - (removed[last] ?? 0);
    },
    sequenceAround(position) {
      if (position > rawEnd) return rawEnd;
      const last = lastBefore((index) => (starts[index] ?? 0) < position);
      return position < (ends[last] ?? 0) ? (starts[last] ?? position) : position;
    },
  };
}

import { encodeText, type Haystack } from "./haystack.ts";

/** A text as a terminal shows it, without escape sequences, and where its units are in the raw text. */
export interface PlainText {
  readonly text: Haystack;
  /** The end of the raw text, or the beginning of a sequence that the end cuts off. */
  readonly rawEnd: number;
  /** Where more text can change what counts as a sequence, or `Infinity`. */
  readonly undecidedFrom: number;
  toRaw(position: number): number;
  /** The number of plain units before this raw position. */
  fromRaw(position: number): number;
  /** The beginning of the sequence around this raw position; the position itself if there is none. */
  sequenceAround(position: number): number;
}

/** Returns the plain text, or null if it is the same as the raw text. */
export function plainTextOf(raw: Haystack): PlainText | null {
  const found = findEscapeSequences(raw);
  if (found === null) return null;
  const { starts, ends } = found;
  const rawEnd = found.cutOffFrom ?? raw.length;
  if (starts.length === 0 && rawEnd === raw.length) return null;
  /** How many units are removed before the end of each sequence. */
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

/** A longer sequence does not count as one: its beginning is text. */
const MAX_SEQUENCE = 256;

const ESC = 0x1b;
const BEL = 0x07;
const BACKSLASH = 0x5c;
const ESCAPE = encodeText("\u001b");

/** The terminal sequences in a text, in order. */
interface EscapeSequences {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** The beginning of a sequence that the end of the text cuts off. */
  readonly cutOffFrom: number | null;
  /** Does another one begin inside that one, unless the next unit completes it? */
  readonly isCutInside: boolean;
}

/** Finds sequences that a terminal does not show (ECMA-48), such as colours: CSI, OSC, choice of a character set. */
function findEscapeSequences(text: Haystack): EscapeSequences | null {
  let at = text.indexOf(ESCAPE, 0);
  if (at < 0) return null;
  const starts: number[] = [];
  const ends: number[] = [];
  for (; at >= 0; at = text.indexOf(ESCAPE, at)) {
    const end = sequenceEnd(text, at);
    if (end === "cut off") return { starts, ends, cutOffFrom: at, isCutInside: isCutInside(text, at) };
    if (end !== null) {
      starts.push(at);
      ends.push(end);
    }
    at = end ?? at + 1;
  }
  return { starts, ends, cutOffFrom: null, isCutInside: false };
}

function sequenceEnd(text: Haystack, start: number): number | null | "cut off" {
  const limit = start + MAX_SEQUENCE;
  const kind = text.unitAt(start + 1);
  let at = start + 2;
  if (kind === -1) return "cut off";
  if (kind === 0x5d) return commandEnd(text, at, limit);
  if (kind === 0x5b) at = skip(text, at, limit, 0x30, 0x3f);
  else if (!isBetween(kind, 0x20, 0x2f)) return null;
  at = skip(text, at, limit, 0x20, 0x2f);
  if (at >= limit) return null;
  if (at === text.length) return "cut off";
  return isBetween(text.unitAt(at), kind === 0x5b ? 0x40 : 0x30, 0x7e) ? at + 1 : null;
}

/** The end of an OSC, which is BEL or ESC \. */
function commandEnd(text: Haystack, from: number, limit: number): number | null | "cut off" {
  for (let at = from; at < limit; at++) {
    const unit = text.unitAt(at);
    if (unit === -1) return "cut off";
    if (unit === BEL) return at + 1;
    if (unit !== ESC) continue;
    const next = text.unitAt(at + 1);
    if (at + 2 > limit) return null;
    if (next === -1) return "cut off";
    return next === BACKSLASH ? at + 2 : null;
  }
  return null;
}

/** Does the text end with ESC, which ends the sequence at `start` only if a backslash follows? */
function isCutInside(text: Haystack, start: number): boolean {
  return start < text.length - 1 && text.unitAt(text.length - 1) === ESC;
}

function skip(text: Haystack, from: number, limit: number, first: number, last: number): number {
  let at = from;
  while (at < limit && isBetween(text.unitAt(at), first, last)) at += 1;
  return at;
}

function isBetween(unit: number, first: number, last: number): boolean {
  return unit >= first && unit <= last;
}

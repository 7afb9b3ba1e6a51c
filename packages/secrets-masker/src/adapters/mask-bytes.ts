import { allocateToFill, assertBytes, asUint8Array, ByteHaystack } from "../search/haystack.ts";
import { Redaction, type Span } from "../search/redaction.ts";
import { type MaskRules, Search } from "../search/search.ts";

/**
 * Masks bytes that are complete. Returns the same array if there is nothing to mask, otherwise a copy: at the beginning
 * of the target, or in a new buffer if there is no target or it is too small or shares memory with the bytes.
 */
export function maskBytes(rules: MaskRules, bytes: Uint8Array, target?: Uint8Array): Uint8Array {
  assertBytes(bytes);
  if (target !== undefined) assertBytes(target);
  const haystack = new ByteHaystack(bytes);
  const redaction = new Redaction(rules.tally);
  redaction.advance(new Search(rules, haystack, "whole"), bytes.length);
  const spans = redaction.takeSpans();
  if (spans.length === 0) return bytes;
  return replaceSpans(haystack.bytes, spans, rules.placeholder.bytes, 0, bytes.length, target);
}

/** Returns the bytes from `from` to `to` with a placeholder instead of each span. The last span may end after `to`. */
export function replaceSpans(
  bytes: Uint8Array,
  spans: readonly Span[],
  placeholder: Uint8Array,
  from: number,
  to: number,
  target?: Uint8Array,
): Uint8Array {
  // In one step, as most chunks of a stream are.
  if (spans.length === 0) return new Uint8Array(bytes.subarray(from, to));
  const masked = spans.reduce((sum, { start, end }) => sum + end - start, 0);
  const outputEnd = Math.max(to, spans.at(-1)?.end ?? from);
  const size = outputEnd - from - masked + spans.length * placeholder.length;
  const fits = target !== undefined && target.length >= size && !overlap(target, bytes);
  const copy = fits ? asUint8Array(target).subarray(0, size) : allocateToFill(size);
  let at = from;
  let length = 0;
  const copyUntil = (end: number) => {
    copy.set(bytes.subarray(at, end), length);
    length += end - at;
  };
  for (const { start, end } of spans) {
    copyUntil(start);
    // A loop takes a third of the time of `set`, for so few bytes.
    for (let index = 0; index < placeholder.length; index++) copy[length + index] = placeholder[index] ?? 0;
    length += placeholder.length;
    at = end;
  }
  copyUntil(outputEnd);
  return copy;
}

/**
 * Replaces spans as {@link replaceSpans} does, but in the array itself, and overwrites the rest of the array with
 * zeros. Returns a copy if a placeholder is longer than the span that it replaces.
 */
export function replaceInPlace(
  bytes: Uint8Array,
  spans: readonly Span[],
  placeholder: Uint8Array,
  from: number,
  to: number,
): Uint8Array {
  if (spans.some(({ start, end }) => end - start < placeholder.length)) {
    const copy = replaceSpans(bytes, spans, placeholder, from, to);
    bytes.fill(0);
    return copy;
  }
  let at = from;
  let length = from;
  const keepUntil = (end: number) => {
    if (length < at) bytes.copyWithin(length, at, end);
    length += end - at;
  };
  for (const { start, end } of spans) {
    keepUntil(start);
    bytes.set(placeholder, length);
    length += placeholder.length;
    at = end;
  }
  if (at < to) keepUntil(to);
  bytes.fill(0, 0, from).fill(0, length);
  return bytes.subarray(from, length);
}

/** Do they share memory? Writing to one would then change bytes of the other that are still to be read. */
function overlap(a: Uint8Array, b: Uint8Array): boolean {
  const isApart = a.byteOffset >= b.byteOffset + b.length || b.byteOffset >= a.byteOffset + a.length;
  return a.buffer === b.buffer && !isApart;
}

/** In shorter texts, reading the few units that decide one by one is faster than copying the text. */
const SHORT = 1024;

const ESC = "\u001b";

/** Masks a text. Returns the same string if there is nothing to mask. */
export function maskText(rules: MaskRules, text: string): string {
  if (text.length <= SHORT && !text.includes(ESC) && !rules.matcher.mayFind(text)) return text;
  const redaction = new Redaction(rules.tally);
  redaction.advance(new Search(rules, rules.matcher.haystack(text), "whole"), text.length);
  let masked = "";
  let at = 0;
  for (const { start, end } of redaction.takeSpans()) {
    masked += text.slice(at, start) + rules.placeholder.text;
    at = end;
  }
  return at === 0 ? text : masked + text.slice(at);
}

/** Returns the placeholder if the whole text is a value, otherwise null. */
export function maskExact({ matcher, placeholder, tally }: MaskRules, text: string): string | null {
  const owners = matcher.ownersOf(text);
  for (const owner of owners) tally.add(owner, true);
  return owners.length > 0 ? placeholder.text : null;
}

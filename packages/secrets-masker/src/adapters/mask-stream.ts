import { failClosed, redactionFailedBytes } from "../fail-closed.ts";
import { allocateToFill, assertBytes, ByteHaystack } from "../search/haystack.ts";
import { Redaction } from "../search/redaction.ts";
import { type MaskRules, StreamSearch } from "../search/search.ts";
import { LOOK_BEHIND } from "../search/word-boundary.ts";
import { replaceInPlace, replaceSpans } from "./mask-bytes.ts";

/**
 * Masks bytes that arrive in chunks. The output does not depend on how the input was cut. The stream holds back only
 * what could still become a match: at most the longest variant of a value with the terminal sequences inside it, until
 * more bytes or the end arrive, without a time limit. If masking fails, `[redaction failed]` replaces the chunk and
 * what was held back.
 */
export interface MaskStream {
  /** Takes a chunk and returns the masked bytes that can be written now, which may be none. Never throws. */
  push(chunk: Uint8Array): Uint8Array;

  /**
   * Returns the rest at the end of the input. A value that the end cuts off is masked if at least 8 bytes of it are
   * there. The next `push` begins a new stream. Never throws.
   */
  flush(): Uint8Array;
}

export interface MaskStreamOptions {
  /**
   * Masks chunks in place and returns them, without a copy. Set it only if nothing else reads or writes the chunks:
   * other readers would see them changed, and what is written into a chunk before its output is consumed comes out
   * unmasked. Default: false, and a chunk may be reused as soon as `push` returns.
   */
  readonly ownsChunks?: boolean | undefined;
}

const NONE: Uint8Array = new Uint8Array();

export function createMaskStream(rules: MaskRules, { ownsChunks = false }: MaskStreamOptions = {}): MaskStream {
  let part = new StreamPart(rules, ownsChunks);

  function restart(output: Uint8Array): Uint8Array {
    part = new StreamPart(rules, ownsChunks);
    return output;
  }

  return {
    push: (chunk) => failClosed(null, () => part.push(chunk)) ?? restart(redactionFailedBytes()),
    flush: () => restart(failClosed(null, () => part.flush()) ?? redactionFailedBytes()),
  };
}

/** The bytes of a stream on which the masking of later bytes depends. */
class StreamPart {
  readonly #rules: MaskRules;
  readonly #ownsChunks: boolean;
  readonly #redaction: Redaction;
  /** What is not released yet, from the beginning of an incomplete terminal sequence on. Positions count from here. */
  #kept = NONE;
  #released = 0;
  /** The few bytes before that. */
  #before = NONE;
  #generation: number;

  constructor(rules: MaskRules, ownsChunks: boolean) {
    this.#rules = rules;
    this.#ownsChunks = ownsChunks;
    this.#redaction = new Redaction(rules.tally);
    this.#generation = rules.matcher.generation;
  }

  push(chunk: Uint8Array): Uint8Array {
    assertBytes(chunk);
    const stale = this.#dropStale();
    const whole = this.#withKept(chunk);
    const haystack = new ByteHaystack(whole, this.#before);
    const { bytes } = haystack;
    const search = new StreamSearch(this.#rules, haystack, "open", this.#redaction.visited);
    this.#redaction.advance(search, bytes.length);
    const { visited } = this.#redaction;
    const end = this.#rules.matcher.mayExtend(bytes[visited - 1] ?? -1) ? visited - 1 : visited;
    const keptFrom = Math.min(end, search.plain?.sequenceAround(visited) ?? end);
    const kept = bytes.slice(keptFrom);
    const before = lastBytes(this.#before, bytes.subarray(0, keptFrom));
    const output = this.#release(bytes, end, whole !== chunk || this.#ownsChunks);
    this.#keep(kept, before, keptFrom);
    return stale === NONE ? output : concat(stale, output);
  }

  flush(): Uint8Array {
    const stale = this.#dropStale();
    const { visited } = this.#redaction;
    const search = new StreamSearch(this.#rules, new ByteHaystack(this.#kept, this.#before), "cut off", visited);
    this.#redaction.visit(search.findLast(), search.placeholders, this.#kept.length);
    return concat(stale, this.#release(this.#kept, this.#kept.length, true));
  }

  /** A placeholder replaces bytes that were held back because of values that have been forgotten since. */
  #dropStale(): Uint8Array {
    const { matcher, placeholder } = this.#rules;
    if (this.#generation === matcher.generation) return NONE;
    this.#generation = matcher.generation;
    if (this.#released === this.#kept.length) return NONE;
    this.#keep(NONE, this.#before, this.#kept.length);
    return placeholder.bytes.slice();
  }

  /** Returns the bytes to search next: the very chunk if nothing was kept and nobody can write to it meanwhile. */
  #withKept(chunk: Uint8Array): Uint8Array {
    const isShared = !(chunk.buffer instanceof ArrayBuffer);
    return this.#kept.length > 0 || (isShared && !this.#ownsChunks) ? concat(this.#kept, chunk) : chunk;
  }

  /** Releases the bytes up to `end`: in the same array if it is ours, because to copy takes as long as to search. */
  #release(bytes: Uint8Array, end: number, isOurs: boolean): Uint8Array {
    const from = Math.max(this.#released, this.#redaction.written);
    // A span begins before that if a value was added after the byte that shares bits with it had been released.
    const spans = this.#redaction.takeSpans().map((span) => ({ start: Math.max(from, span.start), end: span.end }));
    const replace = isOurs ? replaceInPlace : replaceSpans;
    const output = replace(bytes, spans, this.#rules.placeholder.bytes, from, end);
    this.#released = Math.max(this.#released, end, this.#redaction.written);
    return output;
  }

  #keep(kept: Uint8Array, before: Uint8Array, from: number): void {
    this.#kept.fill(0);
    this.#kept = kept;
    this.#before = before;
    this.#released = Math.max(0, this.#released - from);
    this.#redaction.shift(from);
  }
}

/** Returns the last bytes of both together, as many as the check for words looks back. */
function lastBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  return b.length >= LOOK_BEHIND ? b.slice(-LOOK_BEHIND) : concat(a, b).slice(-LOOK_BEHIND);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = allocateToFill(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

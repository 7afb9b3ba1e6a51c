import { failClosed, redactionFailedBytes } from "../fail-closed.ts";
import { allocateToFill, assertBytes, ByteHaystack } from "../search/haystack.ts";
import { Redaction } from "../search/redaction.ts";
import { type MaskRules, StreamSearch } from "../search/search.ts";
import { LOOK_BEHIND } from "../search/word-boundary.ts";
import { replaceInPlace } from "./mask-bytes.ts";

/**
 * Bytes in, masked bytes out. The output does not depend on how the input was cut into chunks. Held back is only what could
 * still become a match, never more than the longest form of a value with the terminal sequences inside of it, and never for a
 * time: only more bytes or the end decide. Where masking fails, `[redaction failed]` takes the place of the chunk and of what was
 * held.
 */
export interface MaskStream {
  /** Takes a chunk and gives back all that can go out. Never throws. */
  push(chunk: Uint8Array): Uint8Array;

  /**
   * The rest. A value that the end cuts off is masked where at least 8 bytes of it are there. The next `push` begins a new
   * stream. Never throws.
   */
  flush(): Uint8Array;
}

export interface MaskStreamOptions {
  /**
   * Default false: a chunk may be used again as soon as `push` returns. True: chunks are masked in place and given out, without a
   * copy. Nobody else may read a chunk then, and who fills it again before its output is written puts out what he fills in, unmasked.
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

/** The bytes of a stream that matter to those that are still to come. */
class StreamPart {
  readonly #rules: MaskRules;
  readonly #ownsChunks: boolean;
  readonly #redaction: Redaction;
  /** What is not released yet, and all of a terminal sequence that goes on. All positions count from its beginning. */
  #kept = NONE;
  #released = 0;
  /** A few bytes before that. */
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
    const search = new StreamSearch(this.#rules, haystack, "open");
    this.#redaction.advance(search, search.firstHead(this.#redaction.visited));
    const { visited } = this.#redaction;
    const end = this.#rules.matcher.mayExtend(bytes[visited - 1] ?? -1) ? visited - 1 : visited;
    const keptFrom = Math.min(end, search.plain?.sequenceAround(visited) ?? end);
    const kept = bytes.slice(keptFrom);
    const before = lastBytes(this.#before, bytes.subarray(0, keptFrom));
    const output = this.#release(bytes, end);
    this.#keep(kept, before, keptFrom);
    return stale === NONE ? output : concat(stale, output);
  }

  flush(): Uint8Array {
    const stale = this.#dropStale();
    const search = new StreamSearch(this.#rules, new ByteHaystack(this.#kept, this.#before), "cut off");
    this.#redaction.visit(search.findLast(this.#redaction.visited), search.placeholders, this.#kept.length);
    return concat(stale, this.#release(this.#kept, this.#kept.length));
  }

  /** What was held for the sake of values that are forgotten by now must not come out any more. */
  #dropStale(): Uint8Array {
    const { matcher, placeholder } = this.#rules;
    if (this.#generation === matcher.generation) return NONE;
    this.#generation = matcher.generation;
    if (this.#released === this.#kept.length) return NONE;
    this.#keep(NONE, this.#before, this.#kept.length);
    return placeholder.bytes.slice();
  }

  /** What to search next, in an array that nobody else reads. */
  #withKept(chunk: Uint8Array): Uint8Array {
    if (this.#kept.length > 0) return concat(this.#kept, chunk);
    // Takes half as long as to allocate an array and to copy into it.
    return this.#ownsChunks ? chunk : new Uint8Array(chunk);
  }

  /** Gives out the bytes up to there, in the array that they are in: another one would take as long as to search them. */
  #release(bytes: Uint8Array, end: number): Uint8Array {
    const from = Math.max(this.#released, this.#redaction.written);
    // A span begins before that where a value was added when the byte that shares bits with it was out already.
    const spans = this.#redaction.takeSpans().map((span) => ({ start: Math.max(from, span.start), end: span.end }));
    const output = replaceInPlace(bytes, spans, this.#rules.placeholder.bytes, from, end);
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

/** As many of both as words look behind. */
function lastBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  return b.length >= LOOK_BEHIND ? b.slice(-LOOK_BEHIND) : concat(a, b).slice(-LOOK_BEHIND);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = allocateToFill(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

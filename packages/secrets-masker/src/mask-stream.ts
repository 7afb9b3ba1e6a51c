import { failClosed, REDACTION_FAILED } from "./fail-closed.ts";
import { allocateToFill } from "./host-bytes.ts";
import { replaceInPlace } from "./mask-bytes.ts";
import { Redaction } from "./redaction.ts";
import { type MaskRules, StreamSearch } from "./search.ts";
import { assertBytes, ByteSubject } from "./subject.ts";
import { LOOK_BEHIND } from "./word-boundary.ts";

/**
 * Bytes in, masked bytes out. The output does not depend on how the input was cut into chunks. Held back is only what could
 * still become a match, never more than the longest form of a value with the terminal sequences inside of it, and never for a
 * time: only more bytes or the end decide. Where masking fails, `[redaction failed]` takes the place of the chunk and of what was
 * held.
 */
export interface MaskStream {
  /** Takes a chunk, which may be reused afterwards, and gives back all that can go out. Never throws. */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer>;

  /**
   * The rest. A value that the end cuts off is masked where at least 8 bytes of it are there. The next `push` begins a new
   * stream. Never throws.
   */
  flush(): Uint8Array<ArrayBuffer>;
}

const NONE: Uint8Array<ArrayBuffer> = new Uint8Array();

export function createMaskStream(rules: MaskRules): MaskStream {
  let part = new StreamPart(rules);

  function restart(output: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    part = new StreamPart(rules);
    return output;
  }

  return {
    push: (chunk) => failClosed(null, () => part.push(chunk)) ?? restart(new TextEncoder().encode(REDACTION_FAILED)),
    flush: () => restart(failClosed(null, () => part.flush()) ?? new TextEncoder().encode(REDACTION_FAILED)),
  };
}

/** The bytes of a stream that are not released yet, and those before them that matter to them. */
class StreamPart {
  readonly #rules: MaskRules;
  readonly #redaction: Redaction;
  /** All positions count from its beginning. */
  #kept = NONE;
  #released = 0;
  #generation: number;

  constructor(rules: MaskRules) {
    this.#rules = rules;
    this.#redaction = new Redaction(rules.tally);
    this.#generation = rules.matcher.generation;
  }

  push(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
    assertBytes(chunk);
    const stale = this.#dropStale();
    const bytes = concat(this.#kept, chunk);
    const search = new StreamSearch(this.#rules, new ByteSubject(bytes), "open");
    this.#redaction.advance(search, search.firstHead(this.#redaction.visited));
    const { visited } = this.#redaction;
    const mayGrow = this.#rules.matcher.mayExtend(bytes[visited - 1] ?? -1);
    const keptFrom = Math.max(0, Math.min(visited - LOOK_BEHIND, search.plain?.sequenceAround(visited) ?? visited));
    this.#kept.fill(0);
    this.#kept = bytes.slice(keptFrom);
    const output = this.#release(bytes, mayGrow ? visited - 1 : visited);
    this.#shift(keptFrom);
    return stale === NONE ? output : concat(stale, output);
  }

  flush(): Uint8Array<ArrayBuffer> {
    const stale = this.#dropStale();
    const search = new StreamSearch(this.#rules, new ByteSubject(this.#kept), "cut off");
    this.#redaction.visit(search.findLast(this.#redaction.visited), search.placeholders, this.#kept.length);
    return concat(stale, this.#release(this.#kept, this.#kept.length));
  }

  /** What was held for the sake of values that are forgotten by now must not come out any more. */
  #dropStale(): Uint8Array<ArrayBuffer> {
    const { matcher, placeholder } = this.#rules;
    if (this.#generation === matcher.generation) return NONE;
    this.#generation = matcher.generation;
    if (this.#released === this.#kept.length) return NONE;
    this.#shift(this.#kept.length);
    this.#kept.fill(0);
    this.#kept = NONE;
    return placeholder.bytes.slice();
  }

  /** Gives out the bytes up to there, in the array that they are in: another one would take as long as to search them. */
  #release(bytes: Uint8Array<ArrayBuffer>, end: number): Uint8Array<ArrayBuffer> {
    const from = Math.max(this.#released, this.#redaction.written);
    const output = replaceInPlace(bytes, this.#redaction.takeSpans(), this.#rules.placeholder.bytes, from, end);
    this.#released = Math.max(this.#released, end, this.#redaction.written);
    return output;
  }

  #shift(count: number): void {
    this.#released = Math.max(0, this.#released - count);
    this.#redaction.shift(count);
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = allocateToFill(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

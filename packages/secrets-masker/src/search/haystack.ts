import type { Alphabet, PatternStore } from "./pattern-store.ts";

/** A text to search, of UTF-16 units or of bytes. Positions count units. */
export interface Haystack {
  readonly alphabet: Alphabet;
  readonly length: number;
  /** The low bytes of the units from {@link base} on, as far as they are loaded. */
  readonly low: DataView;
  readonly base: number;
  /** Loads the low bytes of these units into {@link low}. */
  load(from: number, to: number): void;
  /** -1 outside the text. */
  unitAt(index: number): number;
  /** Returns up to `count` units of the text before `end`. */
  before(end: number, count: number): string;
  /** Are the first `count` units of this pattern here? */
  hasPattern(store: PatternStore, id: number, start: number, count: number): boolean;
  /** Returns the next place of the text from `from` on, or -1. */
  indexOf(text: EncodedText, from: number): number;
  /** Returns a haystack without the text between each start and its end. */
  without(starts: readonly number[], ends: readonly number[]): Haystack;
}

/** A text in both alphabets. */
export interface EncodedText {
  readonly text: string;
  readonly units: Uint16Array;
  readonly bytes: Uint8Array;
}

export function encodeText(text: string): EncodedText {
  const units = Uint16Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
  return { text, units, bytes: new TextEncoder().encode(text) };
}

/** JavaScript may pass anything. `instanceof` alone would reject a Uint8Array of another realm. */
export function assertBytes(value: unknown): asserts value is Uint8Array {
  if (value instanceof Uint8Array) return;
  if (Object.prototype.toString.call(value) !== "[object Uint8Array]") throw new TypeError("A Uint8Array is needed");
}

/** The same memory, not as a Buffer: a slice of that shares memory, and its subarrays are slower. */
export function asUint8Array(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A filter reads four bytes at a time, and may read past the last byte that it needs. */
const SLACK = 16;

const noBytes = new Uint8Array();

export class ByteHaystack implements Haystack {
  readonly alphabet = "bytes";
  readonly base = 0;
  readonly length: number;
  readonly low: DataView;
  readonly #given: Uint8Array;
  #bytes: Uint8Array | null = null;
  readonly #before: Uint8Array;

  /** @param before the end of what comes before the text; it has positions below 0 */
  constructor(bytes: Uint8Array, before: Uint8Array = noBytes) {
    this.#before = before;
    this.#given = bytes;
    this.length = bytes.length;
    this.low = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Never a Buffer. Most texts have nothing to mask, and do not need it. */
  get bytes(): Uint8Array {
    this.#bytes ??= asUint8Array(this.#given);
    return this.#bytes;
  }

  load(): void {
    // All bytes are loaded from the start.
  }

  unitAt(index: number): number {
    return (index < 0 ? this.#before.at(index) : this.#given[index]) ?? -1;
  }

  before(end: number, count: number): string {
    const units = Array.from({ length: count }, (_, index) => this.unitAt(end - count + index));
    return String.fromCharCode(...units.filter((unit) => unit >= 0));
  }

  hasPattern(store: PatternStore, id: number, start: number, count: number): boolean {
    return store.hasBytes(id, this.low, start, count);
  }

  indexOf({ bytes }: EncodedText, from: number): number {
    return findBytes(this.#given, bytes, from);
  }

  without(starts: readonly number[], ends: readonly number[]): ByteHaystack {
    const kept = new Uint8Array(this.length);
    let length = 0;
    for (const [index, start] of starts.entries()) {
      const part = this.bytes.subarray(ends[index - 1] ?? 0, start);
      kept.set(part, length);
      length += part.length;
    }
    return new ByteHaystack(kept.subarray(0, length));
  }
}

/** The low bytes of one block of a text at a time. Wiped together with the values. */
export class Scratch {
  bytes: Uint8Array = new Uint8Array(SLACK);
  view: DataView = new DataView(this.bytes.buffer);

  reserve(length: number): void {
    if (length + SLACK <= this.bytes.length) return;
    this.wipe();
    this.bytes = allocateBytes(2 ** Math.ceil(Math.log2(length + SLACK)));
    this.view = new DataView(this.bytes.buffer);
  }

  wipe(): void {
    this.bytes.fill(0);
  }
}

export class TextHaystack implements Haystack {
  readonly alphabet = "units";
  readonly length: number;
  base = 0;
  #loadedEnd = 0;
  readonly #text: string;
  readonly #scratch: Scratch;

  constructor(text: string, scratch: Scratch) {
    this.#text = text;
    this.length = text.length;
    this.#scratch = scratch;
  }

  get low(): DataView {
    return this.#scratch.view;
  }

  load(from: number, to: number): void {
    if (from >= this.base && to <= this.#loadedEnd) return;
    this.base = from;
    this.#loadedEnd = to;
    this.#scratch.reserve(to - from);
    const whole = from === 0 && to === this.length;
    writeLowBytes(whole ? this.#text : this.#text.slice(from, to), this.#scratch.bytes);
  }

  unitAt(index: number): number {
    return index < 0 || index >= this.length ? -1 : this.#text.charCodeAt(index);
  }

  before(end: number, count: number): string {
    return this.#text.slice(Math.max(0, end - count), end);
  }

  hasPattern(store: PatternStore, id: number, start: number, count: number): boolean {
    return store.hasUnits(id, this.#text, start, count);
  }

  indexOf({ text }: EncodedText, from: number): number {
    return this.#text.indexOf(text, from);
  }

  without(starts: readonly number[], ends: readonly number[]): TextHaystack {
    const parts = starts.map((start, index) => this.#text.slice(ends[index - 1] ?? 0, start));
    return new TextHaystack(parts.join(""), new Scratch());
  }
}

// If the runtime has a Buffer, its native code is many times faster than a loop over bytes.
const NodeBuffer: typeof Buffer | undefined = globalThis.Buffer;

/** Allocates an array with its own buffer. Its content is undefined: the caller overwrites every byte. */
export function allocateToFill(length: number): Uint8Array<ArrayBuffer> {
  return NodeBuffer === undefined ? new Uint8Array(length) : new Uint8Array(NodeBuffer.allocUnsafeSlow(length).buffer);
}

/** Allocates zeros, in the kind of array that {@link writeLowBytes} is fast with. */
function allocateBytes(length: number): Uint8Array<ArrayBuffer> {
  return NodeBuffer?.alloc(length) ?? new Uint8Array(length);
}

/** Writes the low byte of each UTF-16 unit. The target must be long enough. */
function writeLowBytes(text: string, target: Uint8Array): void {
  if (NodeBuffer !== undefined && target instanceof NodeBuffer) {
    target.write(text, 0, text.length, "latin1");
    return;
  }
  for (let index = 0; index < text.length; index++) target[index] = text.charCodeAt(index);
}

/** Returns the first place from `from` on where these bytes are, or -1. `wanted` must not be empty. */
function findBytes(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const [first = 0] = wanted;
  if (NodeBuffer !== undefined) {
    return NodeBuffer.prototype.indexOf.call(bytes, wanted.length === 1 ? first : wanted, from);
  }
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}

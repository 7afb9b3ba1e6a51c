/** A gram is a few neighbouring bytes, from 3 to 8, that are hashed together. */
export interface GramShape {
  readonly length: number;
  /** What the first four bytes are multiplied with, so that those which do not belong to it have no effect. */
  readonly factor: number;
  /** Where the last four bytes of a gram of more than 4 begin; 0 for a shorter one. */
  readonly far: number;
}

/** Odd, so that no two grams of up to 4 bytes have the same hash. */
const NEAR_FACTOR = 0x9e3779b1;
const FAR_FACTOR = 0x85ebca77;

export function gramShape(length: number): GramShape {
  return { length, factor: length < 4 ? NEAR_FACTOR << (32 - 8 * length) : NEAR_FACTOR, far: Math.max(0, length - 4) };
}

/** Returns a hash whose high bits choose a word. Four bytes from `at` on must exist, also for a gram of three. */
export function gramHash(bytes: DataView, at: number, { factor, far }: GramShape): number {
  const near = bytes.getInt32(at, true);
  return Math.imul(far === 0 ? near : near ^ Math.imul(bytes.getInt32(at + far, true), FAR_FACTOR), factor);
}

/** The hash of the last gram of a text, if fewer than four bytes are left. */
export function lastGramHash(bytes: DataView, at: number, { length, factor }: GramShape): number {
  let gram = 0;
  for (let index = 0; index < length; index++) gram |= bytes.getUint8(at + index) << (8 * index);
  return Math.imul(gram, factor);
}

/** The hash of the low bytes of the units of a text. */
export function textGramHash(text: string, at: number, { factor, far }: GramShape): number {
  const near = lowBytes(text, at);
  return Math.imul(far === 0 ? near : near ^ Math.imul(lowBytes(text, at + far), FAR_FACTOR), factor);
}

function lowBytes(text: string, at: number): number {
  return lowPair(text, at) | (lowPair(text, at + 2) << 16);
}

/** The low bytes of two units of a text. */
export function lowPair(text: string, at: number): number {
  return (text.charCodeAt(at) & 0xff) | ((text.charCodeAt(at + 1) & 0xff) << 8);
}

/** The hash of this many bytes, at least 4. */
export function windowHash(bytes: DataView, at: number, length: number): number {
  let hash = length;
  for (let index = 0; index <= length - 4; index += 4) {
    hash = Math.imul(hash ^ bytes.getInt32(at + index, true), NEAR_FACTOR);
  }
  hash = Math.imul(hash ^ (hash >>> 15) ^ bytes.getInt32(at + length - 4, true), FAR_FACTOR);
  return hash ^ (hash >>> 13);
}

/**
 * Looks for grams of at most 4 bytes in four lanes of `lane` bytes each at once. Four reads from memory are then in
 * flight at any time, which is twice as fast in a text that is not in the cache. The hashes are written out because V8
 * inlines only so much, and one call in here halves the speed. `| 0` saves the check for an overflow.
 *
 * @param words two bits of one word for each gram
 * @param shift how far a hash is shifted to the right to give its word
 * @returns the first place of the first lane, from `at` on, where a lane has a gram whose bits are set; otherwise a
 * place at or after `end`
 */
export function findShort(
  words: Int32Array,
  bytes: DataView,
  at: number,
  end: number,
  step: number,
  lane: number,
  shift: number,
  factor: number,
): number {
  const twoLanes = (2 * lane) | 0;
  const threeLanes = (3 * lane) | 0;
  for (; at < end; at = (at + step) | 0) {
    const first = Math.imul(bytes.getInt32(at, true), factor);
    const second = Math.imul(bytes.getInt32((at + lane) | 0, true), factor);
    const third = Math.imul(bytes.getInt32((at + twoLanes) | 0, true), factor);
    const fourth = Math.imul(bytes.getInt32((at + threeLanes) | 0, true), factor);
    const firstWord = words[first >>> shift] as number;
    const secondWord = words[second >>> shift] as number;
    const thirdWord = words[third >>> shift] as number;
    const fourthWord = words[fourth >>> shift] as number;
    const bits =
      ((firstWord >>> (first >>> 3)) & (firstWord >>> (first >>> 8))) |
      ((secondWord >>> (second >>> 3)) & (secondWord >>> (second >>> 8))) |
      ((thirdWord >>> (third >>> 3)) & (thirdWord >>> (third >>> 8))) |
      ((fourthWord >>> (fourth >>> 3)) & (fourthWord >>> (fourth >>> 8)));
    if ((bits & 1) !== 0) return at;
  }
  return at;
}

/** The same for grams of 5 to 8 bytes. */
export function findLong(
  words: Int32Array,
  bytes: DataView,
  at: number,
  end: number,
  step: number,
  lane: number,
  shift: number,
  far: number,
): number {
  const twoLanes = (2 * lane) | 0;
  const threeLanes = (3 * lane) | 0;
  for (; at < end; at = (at + step) | 0) {
    let near = at;
    const first = Math.imul(
      bytes.getInt32(near, true) ^ Math.imul(bytes.getInt32((near + far) | 0, true), FAR_FACTOR),
      NEAR_FACTOR,
    );
    near = (at + lane) | 0;
    const second = Math.imul(
      bytes.getInt32(near, true) ^ Math.imul(bytes.getInt32((near + far) | 0, true), FAR_FACTOR),
      NEAR_FACTOR,
    );
    near = (at + twoLanes) | 0;
    const third = Math.imul(
      bytes.getInt32(near, true) ^ Math.imul(bytes.getInt32((near + far) | 0, true), FAR_FACTOR),
      NEAR_FACTOR,
    );
    near = (at + threeLanes) | 0;
    const fourth = Math.imul(
      bytes.getInt32(near, true) ^ Math.imul(bytes.getInt32((near + far) | 0, true), FAR_FACTOR),
      NEAR_FACTOR,
    );
    const firstWord = words[first >>> shift] as number;
    const secondWord = words[second >>> shift] as number;
    const thirdWord = words[third >>> shift] as number;
    const fourthWord = words[fourth >>> shift] as number;
    const bits =
      ((firstWord >>> (first >>> 3)) & (firstWord >>> (first >>> 8))) |
      ((secondWord >>> (second >>> 3)) & (secondWord >>> (second >>> 8))) |
      ((thirdWord >>> (third >>> 3)) & (thirdWord >>> (third >>> 8))) |
      ((fourthWord >>> (fourth >>> 3)) & (fourthWord >>> (fourth >>> 8)));
    if ((bits & 1) !== 0) return at;
  }
  return at;
}

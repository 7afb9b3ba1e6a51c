/** A gram is a few neighbouring bytes. This many of them, from 3 to 8, are hashed as one. */
export interface GramShape {
  readonly length: number;
  /** Which of the first four bytes belong to it. */
  readonly mask: number;
  /** From how far on the last four bytes are read, for a gram of more than 4. */
  readonly far: number;
}

/** Odd, so that no two grams of up to 4 bytes have the same hash. */
const NEAR_FACTOR = 0x9e3779b1;
const FAR_FACTOR = 0x85ebca77;

export function gramShape(length: number): GramShape {
  return { length, mask: length < 4 ? (1 << (8 * length)) - 1 : -1, far: Math.max(0, length - 4) };
}

/** The high bits choose a slot. Four bytes from `at` on must be there, also for a gram of three. */
export function gramHash(bytes: DataView, at: number, { mask, far }: GramShape): number {
  const near = bytes.getInt32(at, true);
  return nearHash(far === 0 ? near & mask : near ^ Math.imul(bytes.getInt32(at + far, true), FAR_FACTOR));
}

function nearHash(gram: number): number {
  return Math.imul(gram, NEAR_FACTOR);
}

/** The hash of the last gram of a text, where fewer than four bytes are left. */
export function lastGramHash(bytes: DataView, at: number, { length }: GramShape): number {
  let gram = 0;
  for (let index = 0; index < length; index++) gram |= bytes.getUint8(at + index) << (8 * index);
  return nearHash(gram);
}

/** The hash of the low bytes of a text's units. */
export function textGramHash(text: string, at: number, { mask, far }: GramShape): number {
  const near = lowBytes(text, at);
  return nearHash(far === 0 ? near & mask : near ^ Math.imul(lowBytes(text, at + far), FAR_FACTOR));
}

function lowBytes(text: string, at: number): number {
  return (
    (text.charCodeAt(at) & 0xff) |
    ((text.charCodeAt(at + 1) & 0xff) << 8) |
    ((text.charCodeAt(at + 2) & 0xff) << 16) |
    ((text.charCodeAt(at + 3) & 0xff) << 24)
  );
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
 * Scans four lanes of `lane` bytes each at once, so that four reads from memory are under way at any time: in a text that is not in
 * the cache, that is twice as fast. Looks for grams of at most 4 bytes. The hashes are written out, for there is a limit to what V8
 * inlines, and one call in here halves the speed.
 *
 * @param slots one bit for each
 * @param shift how far a hash is shifted to be a slot
 * @returns the first place of the first lane, from `at` on, where any lane has a gram with a slot; else one from `end` on
 */
export function findShort(
  slots: Uint8Array,
  bytes: DataView,
  at: number,
  end: number,
  step: number,
  lane: number,
  shift: number,
  mask: number,
): number {
  for (; at < end; at += step) {
    const first = Math.imul(bytes.getInt32(at, true) & mask, NEAR_FACTOR) >>> shift;
    const second = Math.imul(bytes.getInt32(at + lane, true) & mask, NEAR_FACTOR) >>> shift;
    const third = Math.imul(bytes.getInt32(at + 2 * lane, true) & mask, NEAR_FACTOR) >>> shift;
    const fourth = Math.imul(bytes.getInt32(at + 3 * lane, true) & mask, NEAR_FACTOR) >>> shift;
    const bits =
      ((slots[first >>> 3] as number) >>> (first & 7)) |
      ((slots[second >>> 3] as number) >>> (second & 7)) |
      ((slots[third >>> 3] as number) >>> (third & 7)) |
      ((slots[fourth >>> 3] as number) >>> (fourth & 7));
    if ((bits & 1) !== 0) return at;
  }
  return at;
}

/** The same for grams of 5 to 8 bytes. */
export function findLong(
  slots: Uint8Array,
  bytes: DataView,
  at: number,
  end: number,
  step: number,
  lane: number,
  shift: number,
  far: number,
): number {
  for (; at < end; at += step) {
    const first =
      Math.imul(bytes.getInt32(at, true) ^ Math.imul(bytes.getInt32(at + far, true), FAR_FACTOR), NEAR_FACTOR) >>>
      shift;
    let next = at + lane;
    const second =
      Math.imul(bytes.getInt32(next, true) ^ Math.imul(bytes.getInt32(next + far, true), FAR_FACTOR), NEAR_FACTOR) >>>
      shift;
    next += lane;
    const third =
      Math.imul(bytes.getInt32(next, true) ^ Math.imul(bytes.getInt32(next + far, true), FAR_FACTOR), NEAR_FACTOR) >>>
      shift;
    next += lane;
    const fourth =
      Math.imul(bytes.getInt32(next, true) ^ Math.imul(bytes.getInt32(next + far, true), FAR_FACTOR), NEAR_FACTOR) >>>
      shift;
    const bits =
      ((slots[first >>> 3] as number) >>> (first & 7)) |
      ((slots[second >>> 3] as number) >>> (second & 7)) |
      ((slots[third >>> 3] as number) >>> (third & 7)) |
      ((slots[fourth >>> 3] as number) >>> (fourth & 7));
    if ((bits & 1) !== 0) return at;
  }
  return at;
}

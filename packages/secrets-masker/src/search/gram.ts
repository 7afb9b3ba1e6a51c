/** A gram is a few neighbouring bytes, from 3 to 8, that are hashed together. */
export interface GramShape {
  readonly length: number;
  /** Selects those of the first four bytes that belong to it. */
  readonly mask: number;
  /** Where the last four bytes of a gram of more than 4 begin; 0 for a shorter one. */
  readonly far: number;
}

/** Odd, so that no two grams of up to 4 bytes have the same hash. */
const NEAR_FACTOR = 0x9e3779b1;
const FAR_FACTOR = 0x85ebca77;

export function gramShape(length: number): GramShape {
  return { length, mask: length < 4 ? (1 << (8 * length)) - 1 : -1, far: Math.max(0, length - 4) };
}

/** Returns a hash whose high bits choose a slot. Four bytes from `at` on must exist, also for a gram of three. */
export function gramHash(bytes: DataView, at: number, { mask, far }: GramShape): number {
  const near = bytes.getInt32(at, true);
  return nearHash(far === 0 ? near & mask : near ^ Math.imul(bytes.getInt32(at + far, true), FAR_FACTOR));
}

function nearHash(gram: number): number {
  return Math.imul(gram, NEAR_FACTOR);
}

/** The hash of the last gram of a text, if fewer than four bytes are left. */
export function lastGramHash(bytes: DataView, at: number, { length }: GramShape): number {
  let gram = 0;
  for (let index = 0; index < length; index++) gram |= bytes.getUint8(at + index) << (8 * index);
  return nearHash(gram);
}

/** The hash of the low bytes of the units of a text. */
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
 * Looks for grams of at most 4 bytes in four lanes of `lane` bytes each at once. Four reads from memory are then in
 * flight at any time, which is twice as fast in a text that is not in the cache. The hashes are written out because V8
 * inlines only so much, and one call in here halves the speed.
 *
 * @param slots one bit for each slot
 * @param shift how far a hash is shifted to the right to give its slot
 * @returns the first place of the first lane, from `at` on, where a lane has a gram whose slot is taken; otherwise a
 * place at or after `end`
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

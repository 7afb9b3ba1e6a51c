import type { Owner } from "./tally.ts";

/** The units of the text in which patterns are looked for: UTF-8 bytes, or the UTF-16 units of a string. */
export type Alphabet = "bytes" | "units";

/** Patterns that are searched together. The shortest one slows down the search for all of them. */
export type PatternKind = "long" | "short";

/** A text with fewer units would slow down the search for all others. */
const SHORT = 12;

/** If there is such a text, all texts with fewer units or bytes than this are searched apart from the others. */
const LONG = 16;

/**
 * Four numbers for each pattern: start and length of its UTF-8, start and length of the low bytes of its UTF-16 units.
 */
const SPANS = 4;

/** Filters read four bytes at a time. */
const SLACK = 4;

const encoder = new TextEncoder();

/**
 * Patterns in two alphabets, in one array of bytes that is wiped when they are forgotten. If a text contains characters
 * outside ASCII, the low bytes of its units follow its UTF-8, then their high bytes; for an ASCII text the UTF-8 is all
 * that is needed.
 */
export class PatternStore {
  size = 0;
  isAscii = true;
  hasShort = false;
  /** Increases whenever there is another pattern, or a known one gets more neighbours. */
  revision = 0;
  /** The ids of the known patterns that got more neighbours, in this order. */
  readonly neighbourChanges: number[] = [];
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  view: DataView<ArrayBuffer> = new DataView(this.bytes.buffer);
  readonly before: string[] = [];
  readonly after: string[] = [];
  readonly wholeWord: boolean[] = [];
  readonly owners: (readonly Owner[])[] = [];
  #spans = new Int32Array(16 * SPANS);
  #used = 0;
  /** A hash table of pairs: the hash of a text, and the id of its pattern plus 1. */
  #byText = new Int32Array(64);
  /** Most patterns have one owner, which many of them share. */
  readonly #singleOwners = new Map<string, readonly Owner[]>();

  /** Adds a pattern. A text that is already known gets one more owner, unless it yields, and the neighbours of both. */
  add({ text, before, after, wholeWord }: PatternText, owner: Owner, yields = false): void {
    const known = this.idOf(text);
    if (known === null) {
      this.#append(text);
      this.before.push(before);
      this.after.push(after);
      this.wholeWord.push(wholeWord);
      this.owners.push(this.#singleOwner(owner));
      return;
    }
    this.#addNeighbours(this.before, known, before);
    this.#addNeighbours(this.after, known, after);
    const owners = this.owners[known] ?? [];
    if (!yields && owners.every(({ name }) => name !== owner.name)) this.owners[known] = [...owners, owner];
  }

  /** Returns the id of the pattern with exactly this text, or null. */
  idOf(text: string): number | null {
    const table = this.#byText;
    const hash = hashOf(text);
    for (let slot = slotOf(hash, table); ; slot = nextSlot(slot, table)) {
      const id = (table[slot + 1] ?? 0) - 1;
      if (id < 0) return null;
      if (table[slot] === hash && this.length(id, "units") === text.length && this.hasUnits(id, text, 0, text.length)) {
        return id;
      }
    }
  }

  start(id: number, alphabet: Alphabet): number {
    return this.#spans[id * SPANS + (alphabet === "bytes" ? 0 : 2)] ?? 0;
  }

  length(id: number, alphabet: Alphabet): number {
    return this.#spans[id * SPANS + (alphabet === "bytes" ? 1 : 3)] ?? 0;
  }

  kindOf(id: number, alphabet: Alphabet): PatternKind {
    return this.hasShort && this.length(id, alphabet) < LONG ? "short" : "long";
  }

  /** Does a match that ends there change nothing, as it begins with a longer one that ends at `outerEnd`? */
  isWithin(id: number, end: number, outerEnd: number): boolean {
    return this.before[id] === "" && (this.after[id] === "" ? end : end + 1) < outerEnd;
  }

  /** Does a match depend on what follows it? */
  dependsOnNext(id: number): boolean {
    const last = this.bytes[this.start(id, "bytes") + this.length(id, "bytes") - 1] ?? -1;
    return this.after[id] !== "" || (this.wholeWord[id] === true && isWordUnit(last));
  }

  /** Are the first `count` bytes of the UTF-8 of this pattern there? */
  hasBytes(id: number, text: DataView, start: number, count: number): boolean {
    const own = this.start(id, "bytes");
    // The last byte first: in a text that repeats the beginning of a value, most places differ there.
    if (count > 0 && this.view.getUint8(own + count - 1) !== text.getUint8(start + count - 1)) return false;
    let index = 0;
    for (; index <= count - 4; index += 4) {
      if (this.view.getInt32(own + index, true) !== text.getInt32(start + index, true)) return false;
    }
    for (; index < count; index++) {
      if (this.view.getUint8(own + index) !== text.getUint8(start + index)) return false;
    }
    return true;
  }

  /** Are the first `count` units of this pattern there? */
  hasUnits(id: number, text: string, start: number, count: number): boolean {
    const low = this.start(id, "units");
    const high = low === this.start(id, "bytes") ? -1 : low + this.length(id, "units");
    if (count > 0 && (text.charCodeAt(start + count - 1) & 0xff) !== this.bytes[low + count - 1]) return false;
    for (let index = 0; index < count; index++) {
      const own = (this.bytes[low + index] ?? 0) | (high < 0 ? 0 : (this.bytes[high + index] ?? 0) << 8);
      if (text.charCodeAt(start + index) !== own) return false;
    }
    return true;
  }

  /** Overwrites all texts. The store cannot be used afterwards. */
  wipe(): void {
    this.bytes.fill(0);
    this.#byText.fill(0);
  }

  #addNeighbours(lists: string[], id: number, more: string): void {
    const units = lists[id] ?? "";
    const all = union(units, more);
    if (all === units) return;
    lists[id] = all;
    this.neighbourChanges.push(id);
    this.revision += 1;
  }

  #append(text: string): void {
    // UTF-8 takes up to three bytes for each unit; the low and the high bytes of the units follow.
    this.#reserve(5 * text.length + SLACK);
    const start = this.#used;
    const { written } = encoder.encodeInto(text, this.bytes.subarray(start));
    this.#used += written;
    let unitStart = start;
    if (written !== text.length) {
      this.isAscii = false;
      unitStart = this.#used;
      for (let index = 0; index < text.length; index++) {
        this.bytes[unitStart + index] = text.charCodeAt(index);
        this.bytes[unitStart + text.length + index] = text.charCodeAt(index) >>> 8;
      }
      this.#used += 2 * text.length;
    }
    this.#enter(text, [start, written, unitStart, text.length]);
  }

  #enter(text: string, span: readonly number[]): void {
    if ((this.size + 1) * SPANS > this.#spans.length) {
      const larger = new Int32Array(2 * this.#spans.length);
      larger.set(this.#spans);
      this.#spans = larger;
    }
    this.#spans.set(span, this.size * SPANS);
    this.size += 1;
    this.revision += 1;
    this.hasShort ||= text.length < SHORT;
    if (this.size * 4 > this.#byText.length) this.#growTable();
    put(this.#byText, hashOf(text), this.size);
  }

  #reserve(more: number): void {
    if (this.#used + more <= this.bytes.length) return;
    const larger = new Uint8Array(2 ** Math.ceil(Math.log2(this.#used + more)));
    larger.set(this.bytes);
    this.bytes.fill(0);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }

  #growTable(): void {
    const larger = new Int32Array(2 * this.#byText.length);
    for (let slot = 0; slot < this.#byText.length; slot += 2) {
      const entry = this.#byText[slot + 1] ?? 0;
      if (entry !== 0) put(larger, this.#byText[slot] ?? 0, entry);
    }
    this.#byText = larger;
  }

  #singleOwner(owner: Owner): readonly Owner[] {
    const key = `${owner.variant} ${owner.name}`;
    const owners = this.#singleOwners.get(key) ?? [owner];
    this.#singleOwners.set(key, owners);
    return owners;
  }
}

function put(table: Int32Array, hash: number, entry: number): void {
  let slot = slotOf(hash, table);
  while (table[slot + 1] !== 0) slot = nextSlot(slot, table);
  table[slot] = hash;
  table[slot + 1] = entry;
}

function slotOf(hash: number, table: Int32Array): number {
  return (hash << 1) & (table.length - 1);
}

function nextSlot(slot: number, table: Int32Array): number {
  return (slot + 2) & (table.length - 1);
}

/** FNV-1a. Its high bits are mixed into the low ones, which choose a slot. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash ^ (hash >>> 15);
}

function union(units: string, more: string): string {
  return more === "" ? units : [...new Set(units + more)].join("");
}

/** A text to look for. */
export interface PatternText {
  readonly text: string;
  /** Characters that belong to a match if they stand directly before the text. */
  readonly before: string;
  /** The same, directly after the text. */
  readonly after: string;
  /** Does the text count only as a whole word? */
  readonly wholeWord: boolean;
}

/** Is this an ASCII letter, digit or underscore? Only ASCII, so that strings and bytes have the same words. */
export function isWordUnit(unit: number): boolean {
  return unit >= 0 && unit < 0x80 && /^\w$/.test(String.fromCharCode(unit));
}

import type { Haystack } from "./haystack.ts";
import type { PatternStore } from "./pattern-store.ts";

const HEAD_BITS = 18;

/** Can a pattern that begins there continue after the end of the text? */
export type CanContinue = (start: number, wholeWord: boolean) => boolean;

/** Patterns in the order of their UTF-8. */
type Sorted = readonly number[];

/** Tells which patterns begin with the end of a text. */
export class PrefixIndex {
  readonly #store: PatternStore;
  #seen = 0;
  /** Each list is more than twice as long as the next one: a new pattern does not make all others be sorted again. */
  readonly #lists: Sorted[] = [];
  /** A bit for the hash of the first four bytes of each pattern, which rules out most places of a text. */
  readonly #heads = new Uint8Array(2 ** (HEAD_BITS - 3));

  constructor(store: PatternStore) {
    this.#store = store;
  }

  /** Adds the patterns that are new in the store. */
  update(): void {
    const { view, size } = this.#store;
    if (this.#seen === size) return;
    const fresh: number[] = [];
    for (; this.#seen < size; this.#seen++) {
      fresh.push(this.#seen);
      const head = headHash(view, this.#store.start(this.#seen, "bytes"));
      this.#heads[head >>> 3] = (this.#heads[head >>> 3] ?? 0) | (1 << (head & 7));
    }
    let list: Sorted = fresh.sort((a, b) => this.#order(a, b));
    for (
      let last = this.#lists.at(-1);
      last !== undefined && last.length <= 2 * list.length;
      last = this.#lists.at(-1)
    ) {
      // The sort of V8 is fast for two sorted lists in a row.
      list = [...last, ...list].sort((a, b) => this.#order(a, b));
      this.#lists.pop();
    }
    this.#lists.push(list);
  }

  /**
   * Returns the first place from `from` on where the rest of the text is the head of a pattern, or a whole pattern that
   * depends on what comes next; null if there is none.
   */
  firstHead(text: Haystack, from: number, isNextOpen: boolean, canContinue: CanContinue): number | null {
    const heads = this.#heads;
    for (let start = Math.max(from, 0); start < text.length && this.#lists.length > 0; start++) {
      const head = start + 4 > text.length ? null : headHash(text.low, start);
      if (head !== null && ((heads[head >>> 3] ?? 0) & (1 << (head & 7))) === 0) continue;
      if (this.#lists.some((sorted) => this.#isHead(sorted, text, start, isNextOpen, canContinue))) return start;
    }
    return null;
  }

  #isHead(sorted: Sorted, text: Haystack, start: number, isNextOpen: boolean, canContinue: CanContinue): boolean {
    const available = text.length - start;
    for (let rank = this.#lowerBound(sorted, text, start); rank < sorted.length; rank++) {
      const id = sorted[rank] ?? 0;
      if (!this.#startsWith(id, text, start)) return false;
      const isOpen = this.#store.length(id, "bytes") > available || (isNextOpen && this.#store.dependsOnNext(id));
      if (isOpen && canContinue(start, this.#store.wholeWord[id] === true)) return true;
    }
    return false;
  }

  /** Returns the longer patterns that begin with the rest of the text. */
  longerThan(text: Haystack, start: number): readonly number[] {
    return this.#lists.flatMap((sorted) => {
      const found: number[] = [];
      for (let rank = this.#lowerBound(sorted, text, start); rank < sorted.length; rank++) {
        const id = sorted[rank] ?? 0;
        if (!this.#startsWith(id, text, start)) break;
        if (this.#store.length(id, "bytes") > text.length - start) found.push(id);
      }
      return found;
    });
  }

  #startsWith(id: number, text: Haystack, start: number): boolean {
    const available = text.length - start;
    return this.#store.length(id, "bytes") >= available && this.#store.hasBytes(id, text.low, start, available);
  }

  /** Returns the rank of the first pattern that does not sort before the rest of the text. */
  #lowerBound(sorted: Sorted, text: Haystack, start: number): number {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const id = sorted[middle] ?? 0;
      const own = {
        bytes: this.#store.view,
        start: this.#store.start(id, "bytes"),
        length: this.#store.length(id, "bytes"),
      };
      if (compare(own, { bytes: text.low, start, length: text.length - start }) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #order(a: number, b: number): number {
    const store = this.#store;
    return compare(
      { bytes: store.view, start: store.start(a, "bytes"), length: store.length(a, "bytes") },
      { bytes: store.view, start: store.start(b, "bytes"), length: store.length(b, "bytes") },
    );
  }
}

function headHash(bytes: DataView, at: number): number {
  return Math.imul(bytes.getInt32(at), 0x9e3779b1) >>> (32 - HEAD_BITS);
}

interface Span {
  readonly bytes: DataView;
  readonly start: number;
  readonly length: number;
}

function compare(a: Span, b: Span): number {
  const common = Math.min(a.length, b.length);
  for (let index = 0; index < common; index++) {
    const difference = a.bytes.getUint8(a.start + index) - b.bytes.getUint8(b.start + index);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

import type { EncodedText, Haystack } from "./haystack.ts";

/** A shorter placeholder that is already in a text is treated like any other text. */
const MIN_OPAQUE = 4;

/** Finds the placeholders that are already in a text. */
export class PlaceholderFinder {
  readonly length: number;
  readonly #text: Haystack;
  readonly #placeholder: EncodedText;
  readonly #units: ArrayLike<number>;
  readonly #isOpaque: boolean;
  /** The result of the last search: from where, and the place of the next placeholder. */
  #known = { from: 0, at: -1 };

  constructor(text: Haystack, placeholder: EncodedText) {
    this.#text = text;
    this.#placeholder = placeholder;
    this.#units = text.alphabet === "bytes" ? placeholder.bytes : placeholder.units;
    this.length = this.#units.length;
    this.#isOpaque = placeholder.text.length >= MIN_OPAQUE;
  }

  /** Returns the first one from `position` on, or `Infinity`. */
  from(position: number): number {
    if (!this.#isOpaque) return Infinity;
    if (position < this.#known.from || position > this.#known.at) {
      const at = this.#text.indexOf(this.#placeholder, position);
      this.#known = { from: position, at: at < 0 ? Infinity : at };
    }
    return this.#known.at;
  }

  /** Does one that begins at `from` or later begin before this place and end after it? */
  standsAcross(from: number, place: number): boolean {
    if (!this.#isOpaque) return false;
    for (let at = Math.max(from, place - this.length + 1); at < place; at++) {
      if (this.#stands(at, this.length)) return true;
    }
    return false;
  }

  /** Returns the first place from `from` on where the end of the text cuts one off, or the length of the text. */
  firstHead(from: number): number {
    const end = this.#text.length;
    let at = this.#isOpaque ? Math.max(from, end - this.length + 1) : end;
    while (at < end && !this.#stands(at, end - at)) at += 1;
    return at;
  }

  #stands(at: number, count: number): boolean {
    for (let index = 0; index < count; index++) {
      if (this.#text.unitAt(at + index) !== this.#units[index]) return false;
    }
    return true;
  }
}

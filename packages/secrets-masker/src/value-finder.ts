import { Matcher } from "./search/matcher.ts";

/** The number of units that are searched at a time. */
const BLOCK = 65_536;

/** Finds which of many values are in texts, as they are: what `text.includes` tells of each, without asking for each. */
export interface ValueFinder {
  /** Adds a value of at least 4 characters. Adding it again changes nothing. */
  add(value: string): void;

  /** Returns the values that are in any of the texts, in the order in which they were added; also those within others. */
  find(texts: Iterable<string>): string[];

  /** Forgets all values. */
  clear(): void;
}

/**
 * Creates a finder, for values that are many or become more and more: a search does not become slower with each of them.
 *
 * @example
 * ```ts
 * import { createValueFinder } from "@autokestra/secrets-masker";
 *
 * const finder = createValueFinder();
 * for (const value of ["s3cret-t0ken", "t0ken", "another"]) finder.add(value);
 * console.log(finder.find(["Bearer s3cret-t0ken"])); // prints [ 's3cret-t0ken', 't0ken' ]
 * ```
 */
export function createValueFinder(): ValueFinder {
  const matcher = new Matcher();
  const values: string[] = [];

  return {
    add(value) {
      matcher.add({ text: value, before: "", after: "", wholeWord: false }, { name: value, variant: "value" });
      if (matcher.store.size > values.length) values.push(value);
    },
    find(texts) {
      const found = new Set<number>();
      const visitor = {
        wantsCutOff: false,
        cutOff: () => false,
        match(id: number) {
          found.add(id);
          // A match that counts would hide those within it.
          return false;
        },
      };
      for (const text of texts) {
        const haystack = matcher.haystack(text);
        for (let from = 0; from < text.length; from += BLOCK) {
          matcher.find(haystack, from, Math.min(text.length, from + BLOCK), visitor);
        }
      }
      return [...found].sort((a, b) => a - b).flatMap((id) => values[id] ?? []);
    },
    clear() {
      matcher.clear();
      values.length = 0;
    },
  };
}

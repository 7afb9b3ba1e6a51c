import type { Haystack } from "./haystack.ts";
import { isWordUnit } from "./pattern-store.ts";

/** How many units before a word are checked for an escape. A longer escape does not count. */
export const LOOK_BEHIND = 12;

const ESC = "\u001b";

/** Escapes that end with a letter or a digit: of strings, of URLs and of terminal colours (ECMA-48). */
const ESCAPE = new RegExp(
  [
    String.raw`\\[nrtbfv0ae]`,
    String.raw`\\u[0-9A-Fa-f]{4}`,
    String.raw`\\x[0-9A-Fa-f]{2}`,
    "%[0-9A-Fa-f]{2}",
    String.raw`${ESC}\[[0-9;]*[A-Za-z]`,
  ]
    .map((pattern) => `${pattern}$`)
    .join("|"),
);

/** Can a word begin here? Not between two letters, digits or underscores, unless the first one ends an escape. */
export function isWordStart(haystack: Haystack, start: number): boolean {
  return !goesOn(haystack, start) || ESCAPE.test(haystack.before(start, LOOK_BEHIND));
}

/** The same for the end of a word, where escapes make no difference. */
export function isWordEnd(haystack: Haystack, end: number): boolean {
  return !goesOn(haystack, end);
}

/** Are there letters, digits or underscores on both sides? */
function goesOn(haystack: Haystack, place: number): boolean {
  return isWordUnit(haystack.unitAt(place - 1)) && isWordUnit(haystack.unitAt(place));
}

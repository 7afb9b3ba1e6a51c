import type { Haystack } from "./haystack.ts";
import { isWordUnit } from "./pattern-store.ts";

/** How many units before a word can tell whether it begins there. A longer escape does not count. */
export const LOOK_BEHIND = 12;

const ESC = "\u001b";

/** What ends in a letter or a digit and is none: escapes of strings and of URLs, and what colours a terminal (ECMA-48). */
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

/** Does no word go on here? One does from a letter, digit or underscore to another, unless the first ends an escape. */
export function isWordStart(haystack: Haystack, start: number): boolean {
  return !goesOn(haystack, start) || ESCAPE.test(haystack.before(start, LOOK_BEHIND));
}

/** The same at an end, where escapes make no difference. */
export function isWordEnd(haystack: Haystack, end: number): boolean {
  return !goesOn(haystack, end);
}

/** Are there letters, digits or underscores on both sides? */
function goesOn(haystack: Haystack, place: number): boolean {
  return isWordUnit(haystack.unitAt(place - 1)) && isWordUnit(haystack.unitAt(place));
}

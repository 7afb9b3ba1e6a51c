import type { Subject } from "./subject.ts";

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

/** Can a word begin here? Not behind a letter, digit or underscore, unless that is the end of an escape. */
export function isWordStart(subject: Subject, start: number): boolean {
  return !isWordUnit(subject.unitAt(start - 1)) || ESCAPE.test(subject.slice(Math.max(0, start - LOOK_BEHIND), start));
}

/** Can a word end here? Not in front of a letter, digit or underscore. */
export function isWordEnd(subject: Subject, end: number): boolean {
  return !isWordUnit(subject.unitAt(end));
}

/** ASCII only, so that text and its bytes are judged alike. */
function isWordUnit(unit: number): boolean {
  return unit >= 0 && unit < 0x80 && /^\w$/.test(String.fromCharCode(unit));
}

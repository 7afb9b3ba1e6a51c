import { parse } from "lossless-json";
import { HttpFailure } from "./http-failure.ts";

/** Deeper values would overflow the stack of code that walks over them later. */
const MAX_DEPTH = 512;

/** Matches every text with a number that JavaScript cannot hold: sixteen digits in a row, or an exponent. */
const LONG_NUMBER = /(?:\d\.?){16}|\d[eE][+-]?\d/;

/** Longer numbers, in characters, stay text without being compared. */
const LONGEST_NUMBER = 1000;

/**
 * Parses JSON; blank text is null. A number that JavaScript would change stays text: `12345678901234567890`,
 * `0.1000000000000000055`, `1e400`. `1.10` is the number 1.1. The last of several equal keys counts, as with
 * `JSON.parse`.
 *
 * @throws HttpFailure `HTTP_RESPONSE` if the text is not JSON or is nested more than 512 levels deep
 */
export function readJson(text: string): unknown {
  if (/^[ \t\r\n]*$/.test(text)) return null;
  const value = parseJson(text);
  if (isDeep(value)) throw new HttpFailure("HTTP_RESPONSE", `the body is JSON of more than ${MAX_DEPTH} levels`);
  // Last, because the lossless parser is slow and recursive.
  if (!LONG_NUMBER.test(text)) return value;
  return parse(text, null, {
    parseNumber: (digits) => (keepsItsValue(digits) ? Number(digits) : digits),
    onDuplicateKey: ({ newValue }) => newValue,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpFailure("HTTP_RESPONSE", "the body is not valid JSON; `response: text` gives it as it stands");
  }
}

/** Walks level by level, because recursion would overflow the stack. */
function isDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []));
    if (level.length === 0) return false;
  }
  return true;
}

function keepsItsValue(digits: string): boolean {
  if (digits.length > LONGEST_NUMBER) return false;
  const value = Number(digits);
  return Number.isFinite(value) && significantDigits(digits) === significantDigits(String(value));
}

/** Rounding changes these digits before it changes the magnitude: if they are the same, the value is. */
function significantDigits(digits: string): string {
  return digits
    .replace(/[eE].*$/, "")
    .replace(/[-.]/g, "")
    .replace(/^0+|0+$/g, "");
}

export const FORM_TYPE = "application/x-www-form-urlencoded";

/** The media type of a Content-Type header in lower case, without parameters; empty if there is none. */
export function mediaTypeOf(contentType: string): string {
  return contentType.replace(/;.*$/s, "").trim().toLowerCase();
}

/** The character set of a Content-Type header; undefined if it names none. */
export function charsetOf(contentType: string): string | undefined {
  return /;\s*charset="?([^\s";]+)/i.exec(contentType)?.[1];
}

import { parse } from "lossless-json";
import { HttpFailure } from "./http-failure.ts";

/** Deeper values would overflow the stack of whoever walks over them later. */
const MAX_DEPTH = 512;

/** What is in every text with a number that JavaScript cannot hold: sixteen digits in a row, or an exponent. */
const LONG_NUMBER = /(?:\d\.?){16}|\d[eE][+-]?\d/;

/** Longer numbers stay text without being compared. */
const LONGEST_NUMBER = 1000;

/**
 * The value of a JSON text, null for a blank one. A number stays the text that it is where JavaScript would make another decimal
 * number of it: `12345678901234567890`, `0.1000000000000000055`, `1e400`; `1.10` is the number 1.1. Of keys that occur twice the
 * last one counts, as with `JSON.parse`.
 *
 * @throws HttpFailure `HTTP_RESPONSE`
 */
export function readJson(text: string): unknown {
  if (/^[ \t\r\n]*$/.test(text)) return null;
  const value = parseJson(text);
  if (isDeep(value)) throw new HttpFailure("HTTP_RESPONSE", `the body is JSON of more than ${MAX_DEPTH} levels`);
  // Only now: the lossless parser is slow and recursive.
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

/** Level by level, because the depth is what must not be walked recursively. */
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

/** Rounding changes these before it changes the magnitude: where they are the same, the value is. */
function significantDigits(digits: string): string {
  return digits
    .replace(/[eE].*$/, "")
    .replace(/[-.]/g, "")
    .replace(/^0+|0+$/g, "");
}

export const FORM_TYPE = "application/x-www-form-urlencoded";

/** The type of a content-type header in lower case, without its parameters; "" where there is none. */
export function mediaTypeOf(contentType: string): string {
  return contentType.replace(/;.*$/s, "").trim().toLowerCase();
}

/** The character set that a content-type header names. */
export function charsetOf(contentType: string): string | undefined {
  return /;\s*charset="?([^\s";]+)/i.exec(contentType)?.[1];
}

/**
 * Reads JSON without losing anything: no digit of a number, no duplicate key.
 *
 * @module
 */
import { compareNumber, LosslessNumber, parse } from "lossless-json";

/** For values that {@link parseJson} has read: they recognise a number that is kept as text, and write JSON again. */
export { isLosslessNumber, stringify as formatJson } from "lossless-json";

/** A value, or why the text is refused. A problem quotes nothing of the text except a key. */
type JsonResult =
  | { readonly value: unknown }
  | { readonly problem: string; readonly duplicateKey?: string; readonly line: number };

/**
 * Parses JSON strictly. A duplicate key in an object is a problem. A number that JavaScript would write differently
 * (`1.0`, `1e3`, 20 digits) becomes a `LosslessNumber`, which keeps its text.
 *
 * @example
 * ```ts
 * import { formatJson, parseJson } from "@autokestra/secrets-core/exact-json";
 *
 * const read = parseJson('{ "id": 12345678901234567890 }');
 * if ("value" in read) console.log(formatJson(read.value)); // prints {"id":12345678901234567890}
 * console.log(parseJson('{ "a": 1, "a": 2 }')); // prints { problem: 'has a key twice', duplicateKey: 'a', line: 1 }
 * ```
 */
export function parseJson(text: string): JsonResult {
  try {
    const value = parse(text, null, { parseNumber: readNumber, onDuplicateKey: ({ newValue }) => newValue });
    return findDuplicateKey(text) ?? { value };
  } catch (error) {
    // The message of a syntax error quotes the text, so only its position is used. A stack overflow has no position.
    const position = /at position (\d+)$/.exec(error instanceof SyntaxError ? error.message : "")?.[1];
    return { problem: "is not JSON", line: lineAt(text, Number(position ?? 0)) };
  }
}

function readNumber(text: string): number | LosslessNumber {
  const number = Number(text);
  return readsAsWritten(text, number) ? number : new LosslessNumber(text);
}

/** @param text valid JSON */
function findDuplicateKey(text: string): JsonResult | null {
  /** The keys of each object that is not closed yet. */
  const objects: Set<string>[] = [];
  const colon = /\s*:/y;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === "{") objects.push(new Set());
    else if (character === "}") objects.pop();
    else if (character === '"') {
      const end = closingQuote(text, at + 1);
      colon.lastIndex = end + 1;
      const keys = objects.at(-1);
      if (keys !== undefined && colon.test(text)) {
        const key = String(JSON.parse(text.slice(at, end + 1)));
        if (keys.has(key)) return { problem: "has a key twice", duplicateKey: key, line: lineAt(text, at) };
        keys.add(key);
      }
      at = end;
    }
  }
  return null;
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split("\n").length;
}

/** Tells whether JavaScript writes the number exactly as the text does. */
export function readsAsWritten(text: string, value: number): boolean {
  return String(value) === text;
}

/**
 * Tells whether the number has the value of the text: true for 1.10, 1e3, 007 and 0x10, false for .inf and 20 digits.
 */
export function keepsValue(text: string, value: number): boolean {
  if (/^0[ox]/.test(text)) return Number.isSafeInteger(value);
  const [match, sign, whole, fraction, exponent] = /^([-+]?)(\d*)\.?(\d*)(?:e([-+]?\d+))?$/i.exec(text) ?? [];
  if (match === undefined || !Number.isFinite(value)) return false;
  const written = `${sign === "-" ? "-" : ""}${whole || "0"}.${fraction || "0"}e${exponent ?? "0"}`;
  return compareNumber(written, String(value)) === 0;
}

/** Returns the position of the next double quote that no backslash escapes, or -1. */
export function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let start = at;
    while (start > from && text[start - 1] === "\\") start -= 1;
    if ((at - start) % 2 === 0) return at;
  }
  return -1;
}

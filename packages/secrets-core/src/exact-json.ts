/**
 * JSON that loses nothing: no digit of a number, no key.
 *
 * @module
 */
import { compareNumber, LosslessNumber, parse } from "lossless-json";

/** Of values that {@link parseJson} has read: which are numbers with their text, and how all are written again. */
export { isLosslessNumber, stringify as formatJson } from "lossless-json";

/** JSON that was read, or why it cannot be. No text of ours repeats any of it but a key. */
type JsonResult =
  | { readonly value: unknown }
  | { readonly problem: string; readonly duplicateKey?: string; readonly line: number };

/**
 * Reads JSON strictly: a key that stands twice in an object is a problem. A number that would not read as it was written (`1.0`,
 * `1e3`, 20 digits) becomes a `LosslessNumber` with its text; all others are numbers.
 */
export function parseJson(text: string): JsonResult {
  try {
    const value = parse(text, null, { parseNumber: readNumber, onDuplicateKey: ({ newValue }) => newValue });
    return findDuplicateKey(text) ?? { value };
  } catch (error) {
    // The message of a syntax error quotes what was read; of a stack that is full there is no place.
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
  /** The keys of the objects that are open. */
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

/** True where the number reads as it was written: nothing is lost when it becomes text. */
export function readsAsWritten(text: string, value: number): boolean {
  return String(value) === text;
}

/** True where the number has the decimal value that was written: 1.10, 1e3, 007 and 0x10 do, .inf and 20 digits do not. */
export function keepsValue(text: string, value: number): boolean {
  if (/^0[ox]/.test(text)) return Number.isSafeInteger(value);
  const [match, sign, whole, fraction, exponent] = /^([-+]?)(\d*)\.?(\d*)(?:e([-+]?\d+))?$/i.exec(text) ?? [];
  if (match === undefined || !Number.isFinite(value)) return false;
  const written = `${sign === "-" ? "-" : ""}${whole || "0"}.${fraction || "0"}e${exponent ?? "0"}`;
  return compareNumber(written, String(value)) === 0;
}

/** Where the next double quote is that no backslash escapes, or -1. */
export function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let start = at;
    while (start > from && text[start - 1] === "\\") start -= 1;
    if ((at - start) % 2 === 0) return at;
  }
  return -1;
}

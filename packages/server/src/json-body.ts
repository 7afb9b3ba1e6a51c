import { AutokestraError } from "@autokestra/secrets-core";
import { isReserved, quoteText } from "@autokestra/secrets-core/internal";

/** How deep a body may be: ours have three levels. */
const MAX_DEPTH = 16;

/** All that has a meaning in JSON. Strings are matched greedily: a long one costs no memory. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|-?\d[\d.eE+-]*/gs;

/**
 * Reads a body: JSON in UTF-8, without what readers of JSON understand in different ways.
 *
 * @throws AutokestraError `BODY_INVALID` for what is no JSON, is too deep, or has a key twice, a reserved key, or a number that would
 * lose digits. Of the body it repeats keys alone
 */
export function parseJsonBody(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  checkTokens(text);
  try {
    return JSON.parse(text);
  } catch {
    throw invalid("it is not JSON");
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid("it is not UTF-8");
  }
}

function checkTokens(text: string): void {
  /** The keys of each object that is open; null for a list. */
  const open: (Set<string> | null)[] = [];
  let isKeyNext = false;
  for (const [token] of text.matchAll(TOKEN)) {
    const keys = open.at(-1) ?? null;
    if (token === "{" || token === "[") {
      if (open.length === MAX_DEPTH) throw invalid("it is too deep");
      open.push(token === "{" ? new Set() : null);
      isKeyNext = token === "{";
    } else if (token === "}" || token === "]") {
      open.pop();
      isKeyNext = false;
    } else if (token === ",") isKeyNext = keys !== null;
    else if (token === ":") isKeyNext = false;
    else if (!token.startsWith('"')) checkNumber(token);
    else if (isKeyNext && keys !== null) addKey(keys, token);
  }
}

function addKey(keys: Set<string>, token: string): void {
  const key = readKey(token);
  if (isReserved(key)) throw invalid(`the key '${key}' is reserved`);
  if (keys.has(key)) throw invalid(`the key '${quoteText(key)}' stands twice in one object`);
  keys.add(key);
}

function readKey(token: string): string {
  try {
    return String(JSON.parse(token));
  } catch {
    throw invalid("it is not JSON");
  }
}

function checkNumber(token: string): void {
  const number = Number(token);
  const losesDigits = /^-?\d+$/.test(token) && !Number.isSafeInteger(number);
  if (losesDigits || number === Number.POSITIVE_INFINITY || number === Number.NEGATIVE_INFINITY) {
    throw invalid("it has a number that would lose digits: send it as text");
  }
}

function invalid(problem: string): AutokestraError {
  return new AutokestraError("BODY_INVALID", `The body cannot be used: ${problem}`);
}

import { closingQuote } from "@autokestra/secrets-core/exact-json";
import { type ImportEntry, importedApiKey, isFailure } from "./entries.ts";

/** A name and its separator. A colon separates only before white space, as in YAML. */
const ASSIGNMENT = /[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=|(:)(?=\s|$))[ \t]*/y;
const EMPTY_OR_COMMENT = /^\s*(?:#|$)/;

const COLON = "the colon is read as `=`; only some readers do";

/**
 * Reads a `.env` file for {@link importSecrets}; each variable becomes an apiKey. Programs read these files
 * differently. Where they do, the value keeps all its characters and the entry gets a warning, or the line fails with a
 * reason that says how to write it. docs/secrets.md has the rules.
 *
 * @param source the text of the file, with or without a byte order mark
 * @returns an entry for each variable and for each line that cannot be read, in the order of the file
 *
 * @example
 * ```ts
 * import { readDotenv } from "@autokestra/secrets";
 *
 * const [token, broken] = readDotenv("TOKEN=s3cret-t0ken\nnot a variable\n");
 * if (token !== undefined && "fields" in token) console.log(token.fields); // prints { value: 's3cret-t0ken' }
 * if (broken !== undefined && "reason" in broken) console.log(broken.name); // prints line 2
 * ```
 */
export function readDotenv(source: string): ImportEntry[] {
  const text = source.replace(/^\ufeff/, "");
  const entries = new Map<string, ImportEntry>();
  for (let at = 0, line = 1; at < text.length; ) {
    const entry = readLine(text, at, line);
    if ("entry" in entry) add(entries, entry.entry);
    // After an unclosed quote, it is unknown where the next value begins.
    if (entry.end === null) break;
    line += countLines(text, at, entry.end);
    at = entry.end;
  }
  return [...entries.values()];
}

interface ReadLine {
  readonly entry?: ImportEntry;
  /** Where the next line begins; null if that is unknown. */
  readonly end: number | null;
}

function readLine(text: string, at: number, line: number): ReadLine {
  const end = lineEnd(text, at) + 1;
  if (EMPTY_OR_COMMENT.test(text.slice(at, end))) return { end };
  ASSIGNMENT.lastIndex = at;
  const match = ASSIGNMENT.exec(text);
  const [, name, colon] = match ?? [];
  if (name === undefined) {
    // The line may be a part of a value, so the reason does not quote it.
    const reason = "it is not NAME=VALUE: put a value of several lines in quotes";
    return { entry: { name: `line ${line}`, reason, line }, end };
  }
  const read = readDotenvValue(text, ASSIGNMENT.lastIndex);
  if ("problem" in read) {
    const inQuotes = /["']/.test(text[ASSIGNMENT.lastIndex] ?? "");
    return { entry: { name, reason: read.problem, line }, end: inQuotes ? null : end };
  }
  const warnings = [...(colon === undefined ? [] : [COLON]), ...read.warnings];
  return { entry: importedApiKey(name, read.value, { line, warnings }), end: read.end };
}

/** The last of several variables with one name counts, as everywhere. A line that fails is kept. */
function add(entries: Map<string, ImportEntry>, entry: ImportEntry): void {
  if (isFailure(entry)) {
    entries.set(`line ${entry.line}`, entry);
    return;
  }
  const earlier = entries.get(entry.name);
  const twice = earlier === undefined ? [] : [`it is also on line ${earlier.line}; the last one counts`];
  entries.delete(entry.name);
  entries.set(entry.name, { ...entry, warnings: [...(entry.warnings ?? []), ...twice] });
}

function countLines(text: string, from: number, to: number): number {
  return text.slice(from, to).split("\n").length - 1;
}

/** A value of a `.env` file, or why it is refused. A problem never quotes the value. */
type DotenvValue = ReadValue | { readonly problem: string };

interface ReadValue {
  readonly value: string;
  /** How other programs read it differently. */
  readonly warnings: readonly string[];
  /** Where the next line begins. */
  readonly end: number;
}

const NO_ESCAPE = "its last character is a quote that other readers take for an escaped one";

/** The escapes between double quotes. All programs agree only on the first two. */
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ['"', '"'],
  ["\\", "\\"],
  ["$", "$"],
]);

/** `${X}`, `$X`, `$(command)`, `$$`. */
const EXPANSION = /\$[\w{($]/;
const EXPANDED = "`$` is kept; some readers expand it";

/** A line whose quote opens a new value, although it could close the previous one. */
const OPENS_QUOTE = /^\s*(?:export\s+)?[\w.-]+\s*[=:]\s*$/;

/** What is kept in an unquoted value although some programs read it differently. */
const KEPT: readonly (readonly [RegExp, string])[] = [
  [/#/, "`#` is a part of the value; some readers cut it off there"],
  [EXPANSION, EXPANDED],
  [/^`/, "the backticks are a part of the value; some readers take them for quotes"],
  [/\\/, "`\\` is kept; some readers take it for an escape"],
  [/^\s|\s$|[\v\f\u0085\u2028\u2029]/, "unusual white space is kept; some readers remove it, or end the value there"],
];

/**
 * Reads the value that begins at `at`.
 *
 * @param text the whole file, because a value in quotes can have several lines
 */
function readDotenvValue(text: string, at: number): DotenvValue {
  const first = text[at];
  const result = first === '"' || first === "'" ? readQuoted(text, at, first) : readUnquoted(text, at);
  if ("value" in result && result.value.includes("\0")) return { problem: "the value has a NUL character" };
  return result;
}

/** Returns the position of the next line feed, or the end of the text. */
function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end;
}

function readUnquoted(text: string, at: number): DotenvValue {
  const end = lineEnd(text, at);
  const raw = text.slice(at, end).replace(/\r$/, "");
  if (raw.includes("\r")) return { problem: "there is a carriage return inside the line: end lines with LF or CRLF" };
  if (/^`[^`]*$/.test(raw))
    return { problem: "the backtick is never closed: put the value in single or double quotes" };
  if (/^-----BEGIN (?!.*-----END )/.test(raw)) return { problem: "put a value of several lines in quotes" };
  // A `#` right after `=` can be a value, such as a colour.
  const comment = raw.startsWith("#") && text[at - 1] !== "=" ? 0 : raw.search(/[ \t]#/);
  const value = trimBlanks(comment === -1 ? raw : raw.slice(0, comment));
  const cut = comment === -1 ? [] : ["the comment behind the value is left out: put the value in quotes if it has `#`"];
  const kept = KEPT.filter(([pattern]) => pattern.test(value)).map(([, warning]) => warning);
  return { value, warnings: [...cut, ...kept], end: end + 1 };
}

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/(?<![ \t])[ \t]+$/, "");
}

function readQuoted(text: string, at: number, quote: '"' | "'"): DotenvValue {
  const close = quote === "'" ? text.indexOf(quote, at + 1) : closingQuote(text, at + 1);
  if (close === -1) return { problem: `the ${quoteName(quote)} is never closed` };
  const inside = text.slice(at + 1, close);
  const end = lineEnd(text, close);
  const lastLine = inside.slice(inside.lastIndexOf("\n") + 1);
  const rest = text.slice(close + 1, end).replace(/[ \t]*\r?$/, "");
  const isAlone = /^(?:[ \t]*#.*)?$/s.test(rest);
  if (inside.includes("\n") && !(isAlone && !OPENS_QUOTE.test(lastLine))) {
    return { problem: `the ${quoteName(quote)} is not closed before that of another line` };
  }
  if (!isAlone) return { problem: `text follows the closing quote: ${howToQuote(quote)}` };
  // The value may go on to there: a password such as `x"#y`.
  if (rest.endsWith(quote)) {
    return { problem: `the comment ends with a ${quoteName(quote)}: remove it, or ${howToQuote(quote)}` };
  }
  const carriageReturn = inside.includes("\r") ? ["carriage returns are kept; some readers remove them"] : [];
  const read = quote === "'" ? readSingle(inside) : readDouble(inside);
  return { value: read.value, warnings: [...read.warnings, ...carriageReturn], end: end + 1 };
}

/** Between single quotes there are no escapes. */
function readSingle(inside: string): Pick<ReadValue, "value" | "warnings"> {
  const doubled = inside.includes("\\\\") ? ["`\\\\` is kept; some readers make `\\` of it"] : [];
  return { value: inside, warnings: inside.endsWith("\\") ? [NO_ESCAPE] : doubled };
}

function readDouble(inside: string): Pick<ReadValue, "value" | "warnings"> {
  const warnings: string[] = [];
  const letters = [...inside.matchAll(/\\(.)/gs)].map(([, letter]) => letter);
  if (letters.some((letter) => letter !== "n" && letter !== "r")) {
    warnings.push(
      'readers differ on the escapes with `\\`; `\\n`, `\\r`, `\\t`, `\\"`, `\\\\` and `\\$` are undone here',
    );
  }
  if (EXPANSION.test(inside.replace(/\\./gs, " "))) warnings.push(EXPANDED);
  return { value: inside.replace(/\\(.)/gs, (both, letter: string) => ESCAPES.get(letter) ?? both), warnings };
}

function quoteName(quote: '"' | "'"): string {
  return quote === '"' ? "double quote" : "single quote";
}

function howToQuote(quote: '"' | "'"): string {
  return quote === '"'
    ? 'write `\\"` for a quote in the value'
    : "put a value that has a single quote in double quotes";
}

import { lineEnd, readDotenvValue } from "./dotenv-value.ts";
import { type ImportEntry, importedApiKey, isFailure } from "./import-entry.ts";

/** A name with what separates it from its value. A colon counts where a blank follows, as in YAML. */
const ASSIGNMENT = /[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=|(:)(?=\s|$))[ \t]*/y;
const EMPTY_OR_COMMENT = /^\s*(?:#|$)/;

const COLON = "the colon is read as `=`; only some readers do";

/**
 * Reads a `.env` file; each variable is an apiKey. What all known readers agree on is taken. Where they differ, the value keeps all
 * its characters and the entry has a warning, or the line is a failure that says how to write it. The rules are in docs/secrets.md.
 *
 * @param source a byte order mark at its beginning is no part of it
 * @returns an entry for each variable and for each line that cannot be read, in the order of the file
 */
export function readDotenv(source: string): ImportEntry[] {
  const text = source.replace(/^\ufeff/, "");
  const entries = new Map<string, ImportEntry>();
  for (let at = 0, line = 1; at < text.length; ) {
    const entry = readLine(text, at, line);
    if ("entry" in entry) add(entries, entry.entry);
    // Behind a quote that is not closed, nobody knows what is a value.
    if (entry.end === null) break;
    line += countLines(text, at, entry.end);
    at = entry.end;
  }
  return [...entries.values()];
}

interface ReadLine {
  readonly entry?: ImportEntry;
  /** Where the next line begins; null where that cannot be known. */
  readonly end: number | null;
}

function readLine(text: string, at: number, line: number): ReadLine {
  const end = lineEnd(text, at) + 1;
  if (EMPTY_OR_COMMENT.test(text.slice(at, end))) return { end };
  ASSIGNMENT.lastIndex = at;
  const match = ASSIGNMENT.exec(text);
  const [, name, colon] = match ?? [];
  if (name === undefined) {
    // The line may be a part of a value: none of it is repeated.
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

/** The last one of two variables with one name counts, as everywhere. A line that is refused stays refused. */
function add(entries: Map<string, ImportEntry>, entry: ImportEntry): void {
  if (isFailure(entry)) {
    entries.set(`line ${entry.line}`, entry);
    return;
  }
  const earlier = entries.get(entry.name);
  const twice = earlier === undefined ? [] : [`it stands on line ${earlier.line} too; the last one counts`];
  entries.delete(entry.name);
  entries.set(entry.name, { ...entry, warnings: [...(entry.warnings ?? []), ...twice] });
}

function countLines(text: string, from: number, to: number): number {
  return text.slice(from, to).split("\n").length - 1;
}

import { maskedParts } from "@autokestra/engine/internal";
import { plural } from "@autokestra/secrets-core/internal";

/** `30 lines, 1 704 characters`: lets a person see whether the value is complete. */
export function describeSize(text: string): string {
  const lines = text.split(/\r\n|\r|\n/).length;
  const pairs = text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0;
  return `${count(lines, "line")}, ${count(text.length - pairs, "character")}`;
}

/** Describes invisible white space at the ends of a value: `begins with a space`; null if there is none. */
export function describeEnds(text: string): string | null {
  const [first] = /^\s/.exec(text) ?? [];
  const [last] = /\s$/.exec(text) ?? [];
  const parts = [
    ...(first === undefined ? [] : [`begins with ${nameOf(first)}`]),
    ...(last === undefined ? [] : [`ends with ${nameOf(last)}`]),
  ];
  return parts.length === 0 ? null : parts.join(" and ");
}

/**
 * Describes the parts of a value that are masked on their own: `1 password, 2 query values`; null if there are none.
 */
export function describeParts(text: string): string | null {
  const parts = maskedParts(text).map((part) => count(part.count, part.kind));
  return parts.length === 0 ? null : parts.join(", ");
}

function nameOf(space: string): string {
  if (space === " ") return "a space";
  if (space === "\t") return "a tab";
  return space === "\n" || space === "\r" ? "a line break" : "white space";
}

/** Counts with spaces between the thousands. */
function count(n: number, noun: string): string {
  return plural(n, noun).replace(/\B(?=(\d{3})+(?!\d))/g, " ");
}

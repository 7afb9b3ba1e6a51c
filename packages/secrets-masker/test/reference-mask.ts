import type { PatternText } from "../src/matcher.ts";

/** What to look for; a pattern without a name is the placeholder itself. */
export interface ReferencePattern extends PatternText {
  readonly name: string | null;
}

interface Span {
  /** Where the pattern's own text begins; `start` and `end` have the neighbours that belong to it. */
  readonly textStart: number;
  readonly start: number;
  readonly end: number;
  readonly name: string | null;
}

export interface ReferenceResult {
  readonly text: string;
  /** By name, the number of placeholders that the secret has a part in. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Masks as the README says, in the most obvious way: every pattern at every place, then all spans in order. */
export function referenceMask(
  text: string,
  patterns: readonly ReferencePattern[],
  placeholder: string,
  endIsCut = false,
): ReferenceResult {
  const spans = [...occurrences(text, patterns), ...(endIsCut ? cutOff(text, patterns) : [])];
  spans.sort((a, b) => a.textStart - b.textStart || a.start - b.start || b.end - a.end);

  const runs: { start: number; end: number; isSecret: boolean; names: Set<string> }[] = [];
  let opaqueEnd = 0;
  for (const { start, end, name } of spans) {
    if (name === null && start < opaqueEnd) continue;
    if (name === null) opaqueEnd = end;
    const last = runs.at(-1);
    if (last !== undefined && end <= last.end) continue;
    const joins = last !== undefined && (start < last.end || (start === last.end && last.isSecret && name !== null));
    const run = joins ? last : { start, end, isSecret: false, names: new Set<string>() };
    if (!joins) runs.push(run);
    run.end = end;
    if (name !== null) {
      run.isSecret = true;
      run.names.add(name);
    }
  }

  let masked = "";
  let at = 0;
  for (const { start, end } of runs) {
    masked += text.slice(at, start) + placeholder;
    at = end;
  }
  const names = runs.flatMap((run) => [...run.names]);
  const counts = Object.fromEntries(names.map((name) => [name, names.filter((other) => other === name).length]));
  return { text: masked + text.slice(at), counts };
}

function occurrences(text: string, patterns: readonly ReferencePattern[]): Span[] {
  return patterns.flatMap((pattern) =>
    Array.from(text, (_, textStart) => textStart)
      .filter((textStart) => text.slice(textStart, textStart + pattern.text.length) === pattern.text)
      .filter((textStart) => {
        const behind = text.charAt(textStart + pattern.text.length);
        return !pattern.wholeWord || (beginsWord(text, textStart) && !/[A-Za-z0-9_]/.test(behind));
      })
      .map((textStart) => withNeighbours(text, textStart, textStart + pattern.text.length, pattern)),
  );
}

/** Every end of the text, of 8 units at least, that is the beginning of a pattern. */
function cutOff(text: string, patterns: readonly ReferencePattern[]): Span[] {
  return patterns.flatMap((pattern) =>
    Array.from(text, (_, textStart) => textStart)
      .filter((textStart) => textStart <= text.length - 8 && textStart > text.length - pattern.text.length)
      .filter((textStart) => pattern.text.startsWith(text.slice(textStart)))
      .filter((textStart) => !pattern.wholeWord || beginsWord(text, textStart))
      .map((textStart) => withNeighbours(text, textStart, text.length, pattern)),
  );
}

const HEX = "[0-9A-Fa-f]";
const ESCAPES = [
  String.raw`\\[nrtbfv0ae]`,
  `\\\\u${HEX}{4}`,
  `\\\\x${HEX}{2}`,
  `%${HEX}{2}`,
  "\u001b\\[[0-9;]*[A-Za-z]",
];

/** At the beginning, behind what is no letter, digit or underscore, or behind an escape of 2 to 12 units. */
function beginsWord(text: string, start: number): boolean {
  const lengths = Array.from({ length: Math.min(12, start) }, (_, index) => index + 1);
  const isEscape = (units: string) => ESCAPES.some((pattern) => new RegExp(`^(?:${pattern})$`).test(units));
  return (
    !/[A-Za-z0-9_]/.test(text.charAt(start - 1)) ||
    lengths.some((length) => isEscape(text.slice(start - length, start)))
  );
}

function withNeighbours(text: string, from: number, to: number, { before, after, name }: ReferencePattern): Span {
  const start = from > 0 && before.includes(text.charAt(from - 1)) ? from - 1 : from;
  const end = to < text.length && after.includes(text.charAt(to)) ? to + 1 : to;
  return { textStart: from, start, end, name };
}

import { holdsToken } from "@autokestra/secrets-core";

/** A place in a file, counted from 1 in UTF-16 units. `length` is what a code frame underlines. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/gu;

/** Longer than any place that is meant: a file may be one endless reference. */
const MAX_PLACE = 400;

/**
 * The line of a place, with the place underlined. A line that is longer than the terminal is cut around the place, never in it; one
 * with a token in it is not shown.
 *
 * @param source null: the line is not to be shown
 * @param width of the terminal, in columns. Default: 100
 */
export function codeFrame(
  path: string,
  source: string | null,
  { line, column, length }: Position,
  width = 100,
): string {
  const gutter = String(line);
  const margin = " ".repeat(gutter.length);
  const place = `${margin}--> ${path}:${line}:${column}`;
  const text = printable(source?.split(/\r?\n/, line)[line - 1] ?? "");
  if (source === null || holdsToken(text)) return place;
  const start = column - 1;
  const end = Math.max(start + 1, Math.min(start + Math.min(length, MAX_PLACE), text.length));
  const [from, to] = cut(text.length, start, end, width - gutter.length - 3);
  const [before, after] = [from > 0 ? "…" : "", to < text.length ? "…" : ""];
  return [
    place,
    `${gutter} | ${before}${text.slice(from, to)}${after}`,
    `${margin} | ${before && " "}${blank(text.slice(from, start))}${"^".repeat(columns(text.slice(start, end)) || 1)}`,
  ].join("\n");
}

/** Which part of a line is shown: the place in its middle, as far as the line goes on both sides. */
function cut(length: number, start: number, end: number, room: number): readonly [number, number] {
  if (length <= room) return [0, length];
  // One column for each mark of what is cut off.
  const shown = Math.max(room - 2, end - start);
  const from = Math.max(0, Math.min(start - Math.floor((shown - (end - start)) / 2), length - shown));
  return [from, from + shown];
}

/** The same length, with nothing in it that a terminal would act on. */
function printable(text: string): string {
  return text.replace(/\t/g, " ").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => "\ufffd".repeat(character.length));
}

/** Spaces as wide as the text. */
function blank(text: string): string {
  return text.replace(/./gsu, (character) => (character.match(WIDE) ? "\u3000" : " "));
}

function columns(text: string): number {
  return blank(text).length + (text.match(WIDE)?.length ?? 0);
}

import { AutokestraError, type ErrorCode } from "@autokestra/secrets-core";
import { holdsToken } from "@autokestra/secrets-core/internal";
import measure from "fast-string-truncated-width";

/** `error`: the file cannot be used. `warning`: it can, and should be mended. `note`: it cannot be known yet. */
export type Severity = "error" | "warning" | "note";

/** Something wrong with a file, and where. */
export interface Problem<Code extends string = string> {
  readonly code: Code;
  /** Default: `error`. */
  readonly severity?: Severity | undefined;
  readonly message: string;
  readonly hint?: string | undefined;
  /** What is known as data: those of its code in `ErrorDetails`. */
  readonly details?: object | undefined;
  /** Absent where the problem is not at one place in the file. */
  readonly position?: Position | undefined;
}

/** A problem because of which a file cannot be used. */
export type FatalProblem = Problem<ErrorCode>;

/** So many are told at a time: a file full of them is one mistake. */
export const MAX_PROBLEMS = 20;

/** A file that cannot be used. `code`, `message` and `hint` are those of the first problem. */
export class FileError<Found extends Problem = FatalProblem> extends AutokestraError {
  readonly problems: readonly (FatalProblem | Found)[];
  /** The file, for messages. */
  readonly path: string;
  readonly #source: string | null;
  readonly #count: number;

  constructor(path: string, source: string | null, problems: readonly [FatalProblem, ...(FatalProblem | Found)[]]) {
    const [{ code, message, hint }] = problems;
    super(code, message, { hint });
    this.path = path;
    this.problems = problems.slice(0, MAX_PROBLEMS);
    this.#source = source;
    this.#count = problems.length;
  }

  /**
   * All problems for people: each with its code frame, and its hint below.
   *
   * @param width of the terminal, in columns. Default: 100
   */
  format(width?: number): string {
    const more = this.#count > MAX_PROBLEMS ? [`… and ${this.#count - MAX_PROBLEMS} more`] : [];
    return [...this.problems.map((problem) => formatProblem(problem, this.path, this.#source, width)), ...more].join(
      "\n",
    );
  }
}

/**
 * A problem for people: what is wrong, the place, what to do.
 *
 * @param source null: its line is not to be shown
 */
export function formatProblem(problem: Problem, path: string, source: string | null, width?: number): string {
  const { severity = "error", message, position, hint } = problem;
  const lines = [`${severity}: ${message}`];
  if (position !== undefined) lines.push(codeFrame(path, source, position, width));
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  return lines.join("\n");
}

/** A place in a file, counted from 1 in UTF-16 units. `length` is what a code frame underlines. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

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
  const [from, to] = cut(text, start, end, width - gutter.length - 3);
  const [before, after] = [from > 0 ? "…" : "", to < text.length ? "…" : ""];
  return [
    place,
    `${gutter} | ${before}${text.slice(from, to)}${after}`,
    `${margin} | ${before && " "}${" ".repeat(widthOf(text.slice(from, start)))}${"^".repeat(widthOf(text.slice(start, end)) || 1)}`,
  ].join("\n");
}

/** Which part of a line is shown: the place in its middle, as far as the line goes on both sides. */
function cut(text: string, start: number, end: number, room: number): readonly [number, number] {
  if (text.length <= room && widthOf(text) <= room) return [0, text.length];
  // One column for each mark of what is cut off.
  const fits = (from: number, to: number) => widthOf(text.slice(from, to)) <= room - 2;
  let [from, to] = [start, end];
  for (let grows = true; grows; ) {
    const [before, after] = [Math.max(0, from - sizeAt(text, from - 2)), Math.min(text.length, to + sizeAt(text, to))];
    grows = false;
    if (before < from && fits(before, to)) [from, grows] = [before, true];
    if (after > to && fits(from, after)) [to, grows] = [after, true];
  }
  return [from, to];
}

/** Of the character that begins there, in UTF-16 units. */
function sizeAt(text: string, index: number): number {
  return (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
}

/** The same length, with nothing in it that a terminal would act on. */
function printable(text: string): string {
  return text.replace(/\t/g, " ").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => "\ufffd".repeat(character.length));
}

function widthOf(text: string): number {
  return measure(text).width;
}

import { AutokestraError, type ErrorCode } from "@autokestra/secrets-core";
import { holdsToken } from "@autokestra/secrets-core/internal";
import measure from "fast-string-truncated-width";

/** `error`: the file cannot be used. `warning`: it can, but should be fixed. `note`: that cannot be known yet. */
export type Severity = "error" | "warning" | "note";

/** Something that is wrong with a file. */
export interface Problem<Code extends string = string> {
  readonly code: Code;
  /** Default: `error`. */
  readonly severity?: Severity | undefined;
  readonly message: string;
  readonly hint?: string | undefined;
  /** The data of its code in `ErrorDetails`. Default: none. */
  readonly details?: object | undefined;
  /** Where it is. Default: at no particular place. */
  readonly position?: Position | undefined;
}

/** A problem that prevents the use of a file. */
export type FatalProblem = Problem<ErrorCode>;

/** The maximum number of problems that are reported, because many problems usually have one cause. */
export const MAX_PROBLEMS = 20;

/** A file that cannot be used. `code`, `message` and `hint` are those of the first problem. */
export class FileError<Found extends Problem = FatalProblem> extends AutokestraError {
  readonly problems: readonly (FatalProblem | Found)[];
  /** The path of the file, for messages. */
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
   * Formats all problems for people, each with its code frame and its hint.
   *
   * @param width the width of the terminal in columns. Default: 100
   */
  format(width?: number): string {
    return this.#formatAll((problem) => formatProblem(problem, this.path, this.#source, width));
  }

  /**
   * The same without lines of the file: for those who may not read it.
   *
   * @param path the path to name in the places
   */
  formatPlaces(path: string): string {
    return this.#formatAll((problem) => formatProblem(problem, path, null));
  }

  #formatAll(format: (problem: FatalProblem | Found) => string): string {
    const more = this.#count > MAX_PROBLEMS ? [`… and ${this.#count - MAX_PROBLEMS} more`] : [];
    return [...this.problems.map(format), ...more].join("\n");
  }
}

/**
 * Formats a problem for people: what is wrong, where, and what to do.
 *
 * @param source the text of the file; null to show no line of it
 */
export function formatProblem(problem: Problem, path: string, source: string | null, width?: number): string {
  const { severity = "error", message, position, hint } = problem;
  const lines = [`${severity}: ${message}`];
  if (position !== undefined) lines.push(codeFrame(path, source, position, width));
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  return lines.join("\n");
}

/** A place in a file. `line` and `column` count from 1, in UTF-16 code units. A code frame underlines `length`. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** The maximum length that is underlined, because a file can be one endless reference. */
const MAX_PLACE = 400;

/**
 * Formats the line of a place, with the place underlined. Cuts a long line around the place. Does not show a line that
 * contains a token.
 *
 * @param source the text of the file; null to show no line of it
 * @param width the width of the terminal in columns. Default: 100
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

/** Returns the part of a line to show, with the place in its middle if possible. */
function cut(text: string, start: number, end: number, room: number): readonly [number, number] {
  if (text.length <= room && widthOf(text) <= room) return [0, text.length];
  // Minus one column for each ellipsis.
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

/** Returns the length of the character at an index, in UTF-16 code units. */
function sizeAt(text: string, index: number): number {
  return (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
}

/** Replaces characters that control a terminal. Keeps the length. */
function printable(text: string): string {
  return text.replace(/\t/g, " ").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => "\ufffd".repeat(character.length));
}

function widthOf(text: string): number {
  return measure(text).width;
}

import { AutokestraError, type ErrorCode, quoteText } from "@autokestra/secrets-core";

/** A place in a file, counted from 1. `length` is what a code frame underlines. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** Something wrong with a workflow, and where. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Absent where the problem is not at one place in the file. */
  readonly position?: Position | undefined;
}

/** Something wrong with the file itself, or its shape. */
export function invalidWorkflow(message: string, position?: Position, hint?: string): Problem {
  return { code: "WORKFLOW_INVALID", message, position, hint };
}

/** So many are told at a time: a file full of them is one mistake. */
export const MAX_PROBLEMS = 20;

/** A workflow that cannot run. `code`, `message` and `hint` are those of the first problem. */
export class WorkflowError extends AutokestraError {
  readonly problems: readonly Problem[];
  /** The file, for messages. */
  readonly path: string;
  /** Code frames of all problems, or "" where none has a position. */
  readonly frames: string;

  constructor(path: string, source: string, problems: readonly [Problem, ...Problem[]]) {
    const [{ code, message, hint }] = problems;
    super(code, message, { hint });
    this.path = path;
    this.problems = problems.slice(0, MAX_PROBLEMS);
    const lines = source.split(/\r?\n/);
    const shown = this.problems.map((problem, index) =>
      [...(index === 0 ? [] : [problem.message]), frame(path, lines, problem)].filter(Boolean).join("\n"),
    );
    const more = problems.length > MAX_PROBLEMS ? [`… and ${problems.length - MAX_PROBLEMS} more`] : [];
    this.frames = [...shown, ...more].filter(Boolean).join("\n");
  }
}

/** The line of a problem with the place underlined. */
function frame(path: string, lines: readonly string[], { position }: Problem): string {
  if (position === undefined) return "";
  const { line, column, length } = position;
  const text = lines[line - 1] ?? "";
  const from = Math.max(0, column - 60);
  const shown = quoteText(text.slice(from, from + 76).replaceAll("\t", " "));
  const underline = "^".repeat(Math.max(1, Math.min(length, shown.length - (column - 1 - from))));
  const gutter = String(line);
  return [
    `${" ".repeat(gutter.length)}--> ${path}:${line}:${column}`,
    `${gutter} | ${shown}`,
    `${" ".repeat(gutter.length)} | ${" ".repeat(column - 1 - from)}${underline}`,
  ].join("\n");
}

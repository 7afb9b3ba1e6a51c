import { AutokestraError, type ErrorCode } from "@autokestra/secrets-core";
import { codeFrame, type Position } from "./code-frame.ts";

/** `error`: a run would refuse it. `warning`: it runs, and should be mended. `note`: it cannot be known before a run. */
export type Severity = "error" | "warning" | "note";

/** What only a check finds; a run goes on. */
export type FindingCode =
  | "UNUSED_DECLARATION"
  | "SECRET_EXPIRES_SOON"
  | "FOREIGN_REFERENCE"
  | "ESCAPED_REFERENCE"
  | "INLINE_CREDENTIAL"
  | "INPUT_REQUIRED";

/** Something wrong with a workflow, and where. */
export interface Problem {
  readonly code: ErrorCode | FindingCode;
  /** Default: `error`. */
  readonly severity?: Severity | undefined;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Absent where the problem is not at one place in the file. */
  readonly position?: Position | undefined;
}

/** A problem that stops a run. */
export interface WorkflowProblem extends Problem {
  readonly code: ErrorCode;
}

/** Something wrong with the file itself, or its shape. */
export function invalidWorkflow(message: string, position?: Position, hint?: string): WorkflowProblem {
  return { code: "WORKFLOW_INVALID", message, position, hint };
}

/** So many are told at a time: a file full of them is one mistake. */
export const MAX_PROBLEMS = 20;

/** A workflow that cannot run. `code`, `message` and `hint` are those of the first problem. */
export class WorkflowError extends AutokestraError {
  readonly problems: readonly Problem[];
  /** The file, for messages. */
  readonly path: string;
  readonly #source: string;
  readonly #count: number;

  constructor(path: string, source: string, problems: readonly [WorkflowProblem, ...Problem[]]) {
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

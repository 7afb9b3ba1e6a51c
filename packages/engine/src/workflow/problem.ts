import { type FatalProblem, FileError, type Problem as FileProblem, type Position } from "@autokestra/config/yaml";
import type { ErrorCode } from "@autokestra/secrets-core";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    WORKFLOW_NOT_FOUND: object;
    WORKFLOW_INVALID: object;
    WORKFLOW_DISABLED: object;
    /** There is no such task to begin a run with. */
    TASK_NOT_FOUND: object;
    /** `missing` is the name of an input without a value. */
    INPUT_INVALID: { readonly missing?: string };
  }
}

/** Problems that only a check finds; a run continues. */
export type FindingCode =
  | "SECRET_EXPIRED"
  | "SECRET_NOT_CHECKED"
  | "UNUSED_DECLARATION"
  | "SECRET_EXPIRES_SOON"
  | "FOREIGN_REFERENCE"
  | "ESCAPED_REFERENCE"
  | "INLINE_CREDENTIAL"
  | "INPUT_REQUIRED";

/** Something wrong with a workflow, and where. */
export type Problem = FileProblem<ErrorCode | FindingCode>;

/** A problem that stops a run. */
export type WorkflowProblem = FatalProblem;

/** Creates a problem of the file itself, or of its keys and values. */
export function invalidWorkflow(message: string, position?: Position, hint?: string): WorkflowProblem {
  return { code: "WORKFLOW_INVALID", message, position, hint };
}

/** A workflow that cannot run. `code`, `message` and `hint` are those of the first problem. */
export class WorkflowError extends FileError<Problem> {}

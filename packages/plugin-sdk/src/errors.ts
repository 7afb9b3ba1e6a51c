/** The input of a task does not fit the action. The message names paths and what was expected, never what was given. */
export class PluginInputError extends Error {
  override readonly name = "PluginInputError";

  constructor(problem: string) {
    super(`Invalid input: ${problem}`);
  }
}

/** An action has returned something else than its output schema promises. That is a defect of the plugin. */
export class PluginOutputError extends Error {
  override readonly name = "PluginOutputError";

  constructor(problem: string) {
    super(`Invalid output: ${problem}`);
  }
}

/** What a `TaskError` is made of. Only the message is required. */
export interface TaskErrorOptions {
  /**
   * What happened, to which thing, in words of yours: no input, and no message of a library that may quote one. Where you cut a text
   * of others, put an ellipsis there: what can be the beginning of a secret before it is left out.
   */
  readonly message: string;
  /** What programs go by, such as `MAILBOX_FULL`; it becomes `tasks.ID.error.code`. Default: `TASK_FAILED`. */
  readonly code?: string | undefined;
  /**
   * Whether another attempt can succeed. Default: true, as for everything else that an action throws. A workflow that names the status
   * in `retry.on` has it tried again all the same.
   */
  readonly retryable?: boolean | undefined;
  /** How many seconds to wait at least before the next attempt. Default: the pause of the task's `retry`. */
  readonly retryAfterSeconds?: number | undefined;
  /** The HTTP status that the failure goes back to, where there is one. */
  readonly status?: number | undefined;
}

/**
 * Fails a task and tells the engine more than a thrown `Error` does: a code, and whether and when to try again. A task is only
 * tried again where its workflow says `retry`.
 *
 * @example
 * ```ts
 * import { defineAction, TaskError, z } from "@autokestra/plugin-sdk";
 *
 * const deliver = defineAction({
 *   input: z.strictObject({ mailbox: z.string() }),
 *   run() {
 *     throw new TaskError({ message: "the mailbox is full", code: "MAILBOX_FULL", retryAfterSeconds: 60 });
 *   },
 * });
 * ```
 */
export class TaskError extends Error {
  override readonly name = "TaskError";
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterSeconds: number | undefined;
  readonly status: number | undefined;

  constructor({ message, code = "TASK_FAILED", retryable = true, retryAfterSeconds, status }: TaskErrorOptions) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.retryAfterSeconds = retryAfterSeconds;
    this.status = status;
  }
}

const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429]);
const PERMANENT: ReadonlySet<number> = new Set([501, 505]);

/**
 * Whether a server that answers with this HTTP status may answer otherwise later: 408, 425, 429 and 5xx but for 501 and 505. The engine
 * tries no other status again by itself.
 */
export function isTransientStatus(status: number): boolean {
  return TRANSIENT.has(status) || (status >= 500 && status <= 599 && !PERMANENT.has(status));
}

/**
 * Thrown when the input of a task does not fit the action. The message says what was expected where, never what was
 * given.
 */
export class PluginInputError extends Error {
  override readonly name = "PluginInputError";

  constructor(problem: string) {
    super(`Invalid input: ${problem}`);
  }
}

/** Thrown when an action returns something that does not fit its output schema. That is a defect of the plugin. */
export class PluginOutputError extends Error {
  override readonly name = "PluginOutputError";

  constructor(problem: string) {
    super(`Invalid output: ${problem}`);
  }
}

/** What a {@link TaskError} is made of. Only the message is required. */
export interface TaskErrorOptions {
  /**
   * What happened, in your own words: without inputs, and without messages of libraries, which may quote one. If you
   * cut somebody else's text, end it with an ellipsis: the engine then also hides the beginning of a secret before the
   * cut.
   */
  readonly message: string;
  /** The code for programs, such as `MAILBOX_FULL`; it becomes `tasks.ID.error.code`. Default: `TASK_FAILED`. */
  readonly code?: string | undefined;
  /**
   * Whether another attempt can succeed. A workflow that lists the status in `retry.on` retries the task anyway.
   * Default: true, as for every other error.
   */
  readonly retryable?: boolean | undefined;
  /** The minimum wait before the next attempt, in seconds. Default: the backoff of the task's `retry`. */
  readonly retryAfterSeconds?: number | undefined;
  /** The HTTP status that caused the failure, if there is one; it becomes `tasks.ID.error.status`. */
  readonly status?: number | undefined;
}

/**
 * Fails a task and tells the engine more than a plain `Error` does: a code, and whether and when to retry. Throw it in
 * the `run` of an action. The engine retries a task only if its workflow says so with `retry`.
 *
 * @example
 * ```ts
 * import { defineAction, TaskError, z } from "@autokestra/plugin-sdk";
 * import { runAction } from "@autokestra/plugin-sdk/testing";
 *
 * const deliver = defineAction({
 *   input: z.strictObject({ mailbox: z.string() }),
 *   run() {
 *     throw new TaskError({ message: "the mailbox is full", code: "MAILBOX_FULL", retryAfterSeconds: 60 });
 *   },
 * });
 * await runAction(deliver, { mailbox: "ada" }).catch(({ code }) => console.log(code)); // MAILBOX_FULL
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
 * Tells whether a request that failed with this HTTP status can succeed later: 408, 425, 429, and 5xx except 501 and
 * 505. The engine retries only these, unless a workflow lists others in `retry.on`. See RFC 9110, section 15, RFC 6585
 * (429) and RFC 8470 (425).
 */
export function isTransientStatus(status: number): boolean {
  return TRANSIENT.has(status) || (status >= 500 && status <= 599 && !PERMANENT.has(status));
}

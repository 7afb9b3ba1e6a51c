export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes one log line. `data` is kept beside the message, as JSON. */
export type LogFunction = (message: string, data?: Record<string, unknown>) => void;

/**
 * Masks a value everywhere from now on: in log lines, outputs, errors, the run history, and what is printed. Call it before anything
 * shows the value. Values of fewer than 4 characters cannot be masked; the run warns of them.
 *
 * @param value a text, a number, bytes, or an object or list of these, of which each leaf is masked
 * @param name what reports call it: letters, digits, underscore, hyphen and dot. Default: `tasks.` and the id of the task
 * @throws TypeError for a value without any text, such as undefined or a function, and for another name
 */
export type MaskFunction = (value: unknown, name?: string) => void;

/** What an action gets besides its input. There is no store, key or template in it. */
export interface ActionContext {
  /** The only way for an action to say something. Values of secrets are masked behind it. */
  readonly log: Readonly<Record<LogLevel, LogFunction>>;
  /** Aborted when the run is cancelled or the task is out of time. Hand it on to whatever you wait for. */
  readonly signal: AbortSignal;
  /** `type` is the action's, such as `core/http.request`; `attempt` counts from 1. */
  readonly task: { readonly id: string; readonly type: string; readonly attempt: number };
  /** `workflow` is the id of the workflow. */
  readonly execution: { readonly id: string; readonly workflow: string };
  /** Makes a value secret for the rest of the run, such as a token that a service has just issued. */
  readonly mask: MaskFunction;
}

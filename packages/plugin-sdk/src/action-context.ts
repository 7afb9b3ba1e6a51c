export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes one log line. `data` is kept beside the message, as JSON. */
export type LogFunction = (message: string, data?: Record<string, unknown>) => void;

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
}

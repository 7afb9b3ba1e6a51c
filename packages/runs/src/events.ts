import type { MaskCount } from "@autokestra/secrets-core";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** What every line of a run has. */
interface EventBase {
  /** ISO 8601 UTC. */
  readonly time: string;
  readonly level: LogLevel;
  /** UUID of the run. */
  readonly execution: string;
}

/** Something that happened in a run. */
export interface LogEvent extends EventBase {
  readonly event:
    | "run.started"
    | "run.warning"
    | "run.lease"
    | "task.started"
    | "task.log"
    | "task.retried"
    | "task.finished";
  readonly task?: string | undefined;
  /** The id of the workflow; only of the first event. */
  readonly workflow?: string | undefined;
  readonly message: string;
  readonly data?: unknown;
}

/** Why a task failed. */
export interface TaskErrorInfo {
  readonly name: string;
  /** What programs go by: that of a `TaskError`, `TIMED_OUT`, `INPUT_INVALID`, ...; `TASK_FAILED` for an error without one. */
  readonly code: string;
  readonly message: string;
  /** The HTTP status that the failure goes back to, where there is one. */
  readonly status?: number;
}

/**
 * How a task ended. `skipped`: a task that it needs has failed or was skipped. `cancelled`: the run was cancelled or ran out of time
 * before the task had ended.
 */
export interface TaskResult {
  readonly status: "success" | "failed" | "skipped" | "cancelled";
  readonly output?: unknown;
  /** Only of a failed task. */
  readonly error?: TaskErrorInfo;
}

/** What cancelled a run. */
export type CancelledBy = "user" | "timeout" | "shutdown" | "superseded";

/** The last event of a run. */
export interface RunFinished extends EventBase {
  readonly event: "run.finished";
  /** `failed`: a task has failed, or the process ended. `cancelled`: its signal has ended it before all tasks had ended. */
  readonly status: "success" | "failed" | "cancelled";
  /** Only where the status is `cancelled`. */
  readonly cancelledBy?: CancelledBy;
  readonly durationMs: number;
  readonly tasks: Readonly<Record<string, TaskResult>>;
  /** What was masked in this run, by name of the secret. */
  readonly masked: Readonly<Record<string, MaskCount>>;
}

export type RunEvent = LogEvent | RunFinished;

/** An event as the lines of a run have it: what `runs show` prints, and what is recorded. */
export function eventToJson(event: RunEvent): string {
  if (event.event === "run.finished") return JSON.stringify(event);
  // Programs have it from the record of the run.
  const { workflow: _, ...line } = event;
  return JSON.stringify(line);
}

/** Where events go. It only ever sees masked ones. */
export type RunSink = (event: RunEvent) => void;

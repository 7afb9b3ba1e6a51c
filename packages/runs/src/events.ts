import type { MaskCount } from "@autokestra/secrets-core";

/** The level of an event, as loggers know it. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** What every event of a run has. */
interface EventBase {
  /** ISO 8601 UTC. */
  readonly time: string;
  readonly level: LogLevel;
  /** The id of the run, a UUID. */
  readonly execution: string;
}

/** The first event of a run. */
export interface RunStarted extends EventBase {
  readonly event: "run.started";
  /** The id of the workflow. Only here: what is recorded or printed has it in the message. */
  readonly workflow: string;
  readonly message: string;
  readonly data?: unknown;
}

/** Something that happened in a run. */
export interface LogEvent extends EventBase {
  readonly event: "run.warning" | "run.lease" | "task.started" | "task.log" | "task.retried" | "task.finished";
  readonly task?: string | undefined;
  readonly message: string;
  readonly data?: unknown;
  /** Only in `task.finished`. */
  readonly status?: TaskResult["status"];
  /** Only in `task.finished`: what was masked for the task, by the name of the secret, before its output was shown. */
  readonly masked?: Readonly<Record<string, MaskCount>>;
}

/** Why a task failed. */
export interface TaskErrorInfo {
  readonly name: string;
  /**
   * The code for programs: that of a `TaskError`, `TIMED_OUT`, `INPUT_INVALID`, …; `TASK_FAILED` for errors without a
   * code.
   */
  readonly code: string;
  readonly message: string;
  /** The HTTP status that caused the failure, if there is one. */
  readonly status?: number;
}

/**
 * How a task ended. `skipped`: its `if` was false, a task that it needs failed or was skipped, or another task failed
 * before it could start. `cancelled`: the run was cancelled or timed out before the task ended.
 */
export interface TaskResult {
  readonly status: "success" | "failed" | "skipped" | "cancelled";
  readonly output?: unknown;
  /** Only for a failed task. */
  readonly error?: TaskErrorInfo;
  /** What was masked for the task or item, by the name of the secret. Default: nothing was. */
  readonly masked?: Readonly<Record<string, MaskCount>>;
}

/** What cancelled a run. */
export type CancelledBy = "user" | "timeout" | "shutdown" | "superseded";

/** Who can cancel a run from outside. */
export type CancelReason = Exclude<CancelledBy, "timeout">;

/** The last event of a run. */
export interface RunFinished extends EventBase {
  readonly event: "run.finished";
  /** `failed`: a task failed, or the process ended. `cancelled`: the run was cancelled before all tasks ended. */
  readonly status: "success" | "failed" | "cancelled";
  /** Only if the status is `cancelled`. */
  readonly cancelledBy?: CancelledBy;
  readonly durationMs: number;
  /** By id; the items of a `forEach` as `deploy[0]`, without their outputs, which the task has. */
  readonly tasks: Readonly<Record<string, TaskResult>>;
  /** What the workflow declares as its outputs; only if the run has them. */
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** What was masked in this run, by the name of the secret. */
  readonly masked: Readonly<Record<string, MaskCount>>;
}

/** Anything that happens in a run. */
export type RunEvent = RunStarted | LogEvent | RunFinished;

/** An event as it is recorded and printed. */
export type RecordedEvent = Omit<RunStarted, "workflow"> | LogEvent | RunFinished;

/** The one line of JSON that records and prints an event. */
export function toJson(event: RecordedEvent): string {
  return JSON.stringify(event.event === "run.started" ? { ...event, workflow: undefined } : event);
}

/** A function that gets the events of runs, in their order. Every event is masked before. */
export type RunSink = (event: RunEvent) => void;

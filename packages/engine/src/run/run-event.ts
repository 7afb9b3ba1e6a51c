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
  readonly event: "run.started" | "run.warning" | "task.started" | "task.log" | "task.retried" | "task.finished";
  readonly task?: string | undefined;
  readonly message: string;
  readonly data?: unknown;
}

/** How a task ended. `skipped`: a task that it needs has failed. */
export interface TaskResult {
  readonly status: "success" | "failed" | "skipped";
  readonly output?: unknown;
  readonly error?: { readonly name: string; readonly message: string };
}

/** What cancelled a run. */
export type CancelledBy = "user" | "timeout" | "shutdown" | "superseded";

/** The last event of a run. */
export interface RunFinished extends EventBase {
  readonly event: "run.finished";
  /** `cancelled`: its signal has ended it before all tasks had succeeded. */
  readonly status: "success" | "failed" | "cancelled";
  /** Only where the status is `cancelled`. */
  readonly cancelledBy?: CancelledBy;
  readonly durationMs: number;
  readonly tasks: Readonly<Record<string, TaskResult>>;
  /** What was masked in this run, by name of the secret. */
  readonly masked: Readonly<Record<string, MaskCount>>;
}

export type RunEvent = LogEvent | RunFinished;

/** Where events go. It only ever sees masked ones. */
export type RunSink = (event: RunEvent) => void;

import type { MaskCount } from "@autokestra/secrets-core";
import type { RunEvent, RunSink } from "../run/run-event.ts";

/** `unfinished`: it goes on, or it was killed. */
export type RunStatus = "success" | "failed" | "unfinished";

export interface RunSummary {
  /** UUID of the run. */
  readonly execution: string;
  /** The workflow's id. */
  readonly workflow: string;
  readonly status: RunStatus;
  /** ISO 8601 UTC. */
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly durationMs: number | null;
  /** What was masked in the run, by name of the secret. */
  readonly masked: Readonly<Record<string, MaskCount>>;
}

export interface RunFilter {
  /** The id of a workflow. */
  readonly workflow?: string | undefined;
  readonly status?: RunStatus | undefined;
  /** At most so many. Default 50. */
  readonly limit?: number | undefined;
}

/**
 * What happened in runs. It is written by sinks, behind the masked exit: no value that was masked on the terminal is in it. Every
 * method may throw an AutokestraError `HISTORY_UNAVAILABLE`.
 */
export interface RunHistory {
  /** Takes in the events of one run of this workflow. The first one makes the history where there is none yet. */
  recorder(workflow: string): RunSink;

  /** The newest first. */
  list(filter?: RunFilter): readonly RunSummary[];

  /**
   * All events of a run, in their order.
   *
   * @throws AutokestraError `RUN_NOT_FOUND`
   */
  events(execution: string): readonly RunEvent[];

  close(): void;
}

/** So many runs are kept, the newest. */
export const KEPT_RUNS = 1000;

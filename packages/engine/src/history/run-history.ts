import type { AutokestraError, MaskCount } from "@autokestra/secrets-core";
import type { RunEvent, RunSink } from "../run/run-event.ts";

/** `unfinished`: it goes on, was killed, or could not be recorded to its end. */
export type RunStatus = "success" | "failed" | "unfinished";

export interface RunSummary {
  /** UUID of the run. */
  readonly execution: string;
  /** The workflow's id, masked. */
  readonly workflow: string;
  readonly status: RunStatus;
  /** ISO 8601 UTC. */
  readonly startedAt: string;
  /** The same; null while the run is unfinished. */
  readonly finishedAt: string | null;
  /** Null while the run is unfinished. */
  readonly durationMs: number | null;
  /** What was masked in the run, by name of the secret; nothing while it is unfinished. */
  readonly masked: Readonly<Record<string, MaskCount>>;
}

export interface RunFilter {
  /** The id of a workflow. */
  readonly workflow?: string | undefined;
  readonly status?: RunStatus | undefined;
  /** At most so many, a whole number. Default 50. */
  readonly limit?: number | undefined;
}

/** The events of runs. They are written by sinks, behind the masked exit: no value that was masked on the terminal is among them. */
export interface RunHistory {
  /**
   * A sink that records one run, and throws nothing: a run goes on where it cannot be recorded. Its first event makes the history
   * where there is none yet, and removes all runs but the last 1 000.
   *
   * @param onFailure is told once, from when on the run is not recorded: `HISTORY_UNAVAILABLE`
   */
  recorder(onFailure: (error: AutokestraError) => void): RunSink;

  /**
   * The newest first. A history that does not exist is empty.
   *
   * @throws AutokestraError `HISTORY_UNAVAILABLE`
   */
  list(filter?: RunFilter): readonly RunSummary[];

  /**
   * All events of a run, in their order.
   *
   * @throws AutokestraError `RUN_NOT_FOUND`, `HISTORY_UNAVAILABLE`
   */
  events(execution: string): readonly RunEvent[];

  close(): void;
}

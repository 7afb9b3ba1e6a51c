import { type Engine, RunCancellation } from "@autokestra/engine";
import type { QueuedRun, RunFinished } from "@autokestra/runs";
import { AutokestraError, hasCode } from "@autokestra/secrets-core";

export interface UnstartedRunsOptions {
  readonly engine: Pick<Engine, "history" | "queued">;
  /** Told of what goes wrong where no client hears of it. Never a value. */
  readonly onNotice: (text: string) => void;
  /** Told how each run has ended, for counters. Default: nobody is. */
  readonly onEnded?: ((status: RunFinished["status"]) => void) | undefined;
}

/** Records how runs end that have never begun: they have no other record. It never throws: the history may be what has failed. */
export class UnstartedRuns {
  readonly #engine: UnstartedRunsOptions["engine"];
  readonly #onNotice: UnstartedRunsOptions["onNotice"];
  readonly #onEnded: UnstartedRunsOptions["onEnded"];

  constructor({ engine, onNotice, onEnded }: UnstartedRunsOptions) {
    this.#engine = engine;
    this.#onNotice = onNotice;
    this.#onEnded = onEnded;
  }

  /** A run has not begun that was about to. */
  async end(run: QueuedRun, signal: AbortSignal, error: unknown): Promise<void> {
    const { reason } = signal;
    if (hasCode(error, "RUN_ENDED")) return this.#onEnded?.("cancelled");
    if (reason instanceof RunCancellation) return await this.cancel(run, reason.by);
    this.#onEnded?.("failed");
    await this.refuse(run, error);
  }

  async cancel(run: QueuedRun, by: RunCancellation["by"]): Promise<void> {
    await this.#record(run, "info", `cancelled before it began (${by})`, { status: "cancelled", cancelledBy: by });
    this.#onEnded?.("cancelled");
  }

  async refuse(run: QueuedRun, error: unknown): Promise<void> {
    this.#onNotice(`run ${run.id} of '${run.workflow}' was not started: ${messageOf(error)}`);
    await this.#record(run, "error", messageOf(error), { status: "failed" });
  }

  async #record(
    { id, workflow, file }: QueuedRun,
    level: "info" | "error",
    message: string,
    end: Pick<RunFinished, "status" | "cancelledBy">,
  ): Promise<void> {
    const { history, queued } = this.#engine;
    const owner = { token: crypto.randomUUID() };
    try {
      if ((await history.list({ id })).length > 0) return await queued.remove(id);
      await history.ledger.createRun({ id, workflow, file, secrets: [], tasks: [], owner });
      // Not before it was started.
      const base = { time: new Date().toISOString(), execution: id } as const;
      await history.ledger.append(id, [
        { ...base, level: "info", event: "run.started", workflow, message: `workflow ${workflow}` },
        { ...base, level, event: "run.warning", message },
        { ...base, level, event: "run.finished", ...end, durationMs: 0, tasks: {}, masked: {} },
      ]);
    } catch (error) {
      this.#onNotice(notRecorded(id, error));
    }
  }
}

export function notRecorded(id: string, error: unknown): string {
  return `run ${id} is not recorded: ${messageOf(error)}`;
}

/** What is said of an error where no client hears of it: that of a library can hold anything. */
export function messageOf(error: unknown): string {
  return error instanceof AutokestraError ? error.message : "an unexpected error";
}

import type { EncryptedSecret, SecretName } from "@autokestra/secrets-core";
import type { CancelReason, RecordedEvent, RunEvent, TaskErrorInfo } from "./events.ts";
import type { RunStatus } from "./process.ts";
import type { TaskNode, TaskState } from "./task-states.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** Another process runs it, or may do so. */
    RUN_ACTIVE: { readonly reason?: "running" | "unknown" };
    /** A run that has succeeded, or that has kept nothing. */
    RUN_NOT_RESUMABLE: { readonly reason?: "succeeded" | "not kept" };
    /** Only a waiting or running run can be cancelled. `recorded`: its process does not ask the ledger. */
    RUN_ENDED: { readonly reason?: "ended" | "lost" | "recorded" };
  }
}

/** A UUID. */
export type RunId = string;

/** Names a task run without telling anything of it. */
export type TaskRunId = string;

/** Names who runs tasks. */
export type WorkerId = string;

/** The place of an event in its run, from 0. */
export type Seq = number;

/** A task of a run that begins. */
export interface NewTask extends TaskNode {
  /** How often it may be claimed if its workers are lost. */
  readonly maxAttempts: number;
  /** False for `retry: never`: if its worker is lost it has failed, and its outcome is unknown. */
  readonly isRepeatable: boolean;
}

/** The process that runs a whole run itself. */
export interface RunOwner {
  /** Every write of the run is made with it, so that a process that was replaced changes nothing. */
  readonly token: string;
}

/** A run that begins. */
export interface NewRun {
  readonly id: RunId;
  /** The id of the workflow, masked. */
  readonly workflow: string;
  /** The absolute path of its file, masked; null for a workflow that was not read from a file. */
  readonly file: string | null;
  /** The names of the secrets that its tasks may use. */
  readonly secrets: readonly string[];
  readonly tasks: readonly NewTask[];
  /** Null for a run whose tasks are claimed by workers. */
  readonly owner: RunOwner | null;
  /** How tasks have ended that another run has finished for it. Default: none has. */
  readonly finished?: ReadonlyMap<string, "success" | "failed"> | undefined;
  /** What is kept of it until it has succeeded, and at most for how long. Default: nothing. */
  readonly kept?: { readonly values: readonly KeptValue[]; readonly milliseconds: number } | undefined;
  /** Whether it begins only if it is still in the queue of this process: nobody has cancelled it. Default: false. */
  readonly fromQueue?: boolean | undefined;
}

/** A value that only the key of the run opens. */
export interface KeptValue {
  readonly kind: "start" | "result";
  /** The name of the task; empty for what belongs to the run. */
  readonly task: string;
  /** In which attempt of the run. */
  readonly attempt: number;
  /** The service key that its key is derived from. */
  readonly keyId: string;
  readonly bytes: Uint8Array;
}

/** A run to resume. */
export interface ResumedRun extends Omit<NewRun, "owner" | "kept" | "finished"> {
  readonly owner: RunOwner;
  /** The attempt of the run that was read, so that no one resumes from an older state. */
  readonly after: number;
  /** How the tasks have ended that do not run again. */
  readonly finished: ReadonlyMap<string, "success" | "failed">;
  /** Whether it may be running on another host. Default: then it is refused. */
  readonly force?: boolean | undefined;
}

/** What has become of a run, for its owner. */
export interface Ownership {
  /** False if another process has resumed it, or if it was deleted. */
  readonly isHeld: boolean;
  /** Why {@link RunLedger.cancel} was called for this attempt of it; null if it was not. */
  readonly cancelledBy: CancelReason | null;
}

/** The right to run a task. */
export interface Lease {
  readonly id: TaskRunId;
  readonly run: RunId;
  readonly task: string;
  /** From 1. */
  readonly attempt: number;
  /** Random, and new with each claim. */
  readonly token: string;
  readonly milliseconds: number;
}

/** A task of a run, as the ledger has it. */
export interface TaskRun {
  readonly id: TaskRunId;
  readonly task: string;
  readonly state: TaskState;
  /** How often it was claimed. */
  readonly attempt: number;
}

/** How a task has ended without a failure. The output is masked. */
export interface MaskedResult {
  readonly status: "success" | "skipped" | "cancelled";
  readonly output?: unknown;
}

/** Why a task has failed, masked. */
export type MaskedError = TaskErrorInfo;

/** The error of a task whose worker was lost and that must not be tried again. */
export const OUTCOME_UNKNOWN: MaskedError = {
  name: "Error",
  code: "OUTCOME_UNKNOWN",
  message: "outcome unknown: its process was lost, and it must not be tried again",
};

/**
 * Keeps runs and the states of their tasks. A worker claims a task before it runs it, and every write of its result is made with
 * the token of that claim, so that a worker that was stopped and comes back changes nothing.
 *
 * Every method rejects with `HISTORY_UNAVAILABLE` if the ledger cannot be used.
 */
export interface RunLedger {
  /**
   * Adds a run with all its tasks. Returns the tasks that may start.
   *
   * @throws AutokestraError `RUN_ENDED` for one `fromQueue` that is no longer there
   */
  createRun(run: NewRun): Promise<readonly TaskRunId[]>;
  /**
   * Takes over a run that is lost, has failed or was cancelled.
   *
   * @throws AutokestraError `RUN_NOT_FOUND`, `RUN_ACTIVE`, `RUN_NOT_RESUMABLE`; `RUN_ENDED` as {@link createRun}
   */
  resume(run: ResumedRun): Promise<readonly TaskRunId[]>;
  /**
   * Takes a task to run it.
   *
   * @param leaseMs how long it may stay silent; Infinity for the owner of a run, which needs no reaper
   * @returns null if it was taken, is not ready or has ended
   */
  claim(id: TaskRunId, worker: WorkerId, leaseMs: number): Promise<Lease | null>;
  /** The tasks of a run, in the order of the workflow; none if there is no such run. */
  tasks(run: RunId): Promise<readonly TaskRun[]>;
  /** Prolongs a lease. `cancelled`: the run was cancelled; `lost`: another worker has the task. */
  heartbeat(lease: Lease): Promise<"held" | "cancelled" | "lost">;
  /** Hands out a secret that the run declares, encrypted, while the lease lasts; null if the store does not have it. */
  release(lease: Lease, name: SecretName): Promise<EncryptedSecret | null>;
  /** Ends a task. Returns the tasks that may start now; null if the lease was lost, and nothing has changed. */
  finish(lease: Lease, result: MaskedResult, kept?: KeptValue): Promise<readonly TaskRunId[] | null>;
  /** @param retryAt when it is tried again; null if it is not */
  fail(lease: Lease, error: MaskedError, retryAt: Date | null, kept?: KeptValue): Promise<readonly TaskRunId[] | null>;
  /** Keeps values of a run with an owner, if any. False if another process is its owner now. */
  keep(run: RunId, token: string, values: readonly KeptValue[]): Promise<boolean>;
  /**
   * Lets nothing start any more. A run that waits in a queue ends at once. Of others, the owner learns of it within seconds, and tasks of
   * workers with their next heartbeat: they end the run. Cancelling it again changes nothing.
   *
   * @returns the state of the run now: `cancelled` if it had not begun; what it was before, if it waited to be resumed; `unknown` if
   * its owner is on another host, where it may no longer be
   * @throws AutokestraError `RUN_NOT_FOUND`, `RUN_ENDED`
   */
  cancel(run: RunId, reason: CancelReason): Promise<RunStatus>;
  /** What has become of a run that a token was made for. Its owner asks now and then. */
  ownership(run: RunId, token: string): Promise<Ownership>;
  /** Returns the tasks to ring for: of lost workers, to be tried again, or ready and not taken for 15 s. */
  reap(): Promise<readonly TaskRunId[]>;
  /** Adds masked events. `run.finished` ends the run. */
  append(run: RunId, events: readonly RunEvent[]): Promise<void>;
  /** The events from a place on, and those to come until the run ends or the signal comes. */
  events(run: RunId, after: Seq, signal?: AbortSignal): AsyncIterable<RecordedEvent>;
  close(): Promise<void>;
}

/** Tells workers what may start. At least once; it may lose or repeat, because the ledger decides. */
export interface Doorbell {
  ring(ids: readonly TaskRunId[]): void;
  /** @param count how many handlers may run at a time */
  listen(count: number, handler: (id: TaskRunId) => Promise<void>): void;
  /** Resolves when the handlers that run have ended. */
  close(): Promise<void>;
}

/** Creates the doorbell of one process. Errors of a handler are its own: the ledger notices what was not done. */
export function createDoorbell(): Doorbell {
  const rung: TaskRunId[] = [];
  const running = new Set<Promise<void>>();
  let listener: { readonly count: number; readonly handler: (id: TaskRunId) => Promise<void> } | null = null;

  function wake(): void {
    if (listener === null) return;
    const { count, handler } = listener;
    while (running.size < count) {
      const id = rung.shift();
      if (id === undefined) return;
      const work = handler(id).catch(() => undefined);
      const ended = work.finally(() => {
        running.delete(ended);
        wake();
      });
      running.add(ended);
    }
  }

  return {
    ring(ids) {
      rung.push(...ids);
      wake();
    },
    listen(count, handler) {
      listener = { count, handler };
      wake();
    },
    async close() {
      listener = null;
      await Promise.all(running);
    },
  };
}

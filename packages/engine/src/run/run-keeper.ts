import type { DurableRun, NewTask, TaskResult } from "@autokestra/runs";
import { type Task, WORKFLOW_CALL } from "../workflow/workflow.ts";
import type { RunMasks } from "./masks.ts";

/** How often a task is started again whose worker was lost. */
const MAX_ATTEMPTS = 3;

/** The codes of tasks that must not run again, and whose outcome or output nobody knows. */
const UNKNOWN: ReadonlySet<string | undefined> = new Set(["OUTCOME_UNKNOWN", "OUTPUT_GONE"]);

/** What is known of a task before it runs. */
export interface RestoredTask {
  readonly result: TaskResult;
  /** What the log says of it. */
  readonly message: string;
  /** Whether the result is new, so that it has to be kept. */
  readonly isNew: boolean;
}

/**
 * Keeps what a run needs to be resumed after its process was lost, and returns what it had finished before. Without a durable
 * run it does nothing.
 */
export class RunKeeper {
  readonly #run: DurableRun | null;
  readonly #masks: RunMasks;
  readonly #leased: ReadonlySet<string>;
  readonly #attempts: Map<string, number>;

  /** @param leased the names of the secrets that are made for this run only: no output with one is kept */
  constructor(run: DurableRun | null, masks: RunMasks, leased: ReadonlySet<string>) {
    this.#run = run;
    this.#masks = masks;
    this.#leased = leased;
    this.#attempts = new Map(run?.from?.attempts);
    // What was made secret before stays so, also where a declared secret has another value now.
    for (const { masks: known } of run?.from?.results.values() ?? []) masks.add(known);
  }

  /**
   * What a task does not have to run for; null if it has to run.
   *
   * @param name its name in the run
   * @param since the attempt of the run that it must have ended in, or a later one
   */
  restored(name: string, task: Task, since = 0): RestoredTask | null {
    const from = this.#run?.from;
    if (from === null || from === undefined) return null;
    const kept = from.results.get(name);
    const { result, attempt = -1 } = kept ?? {};
    if (result !== undefined && attempt >= since && isFinished(result, task)) {
      const how = result.status === "success" ? "succeeded" : "failed";
      return { result, message: `${how} before the run was resumed`, isNew: false };
    }
    // The items of a `forEach` and the tasks of a called workflow are looked at one by one.
    const isWhole = task.forEach === undefined || name.endsWith("]");
    if (task.retry !== "never" || this.#run?.isResumed !== true || !isWhole || task.type === WORKFLOW_CALL) return null;
    if (from.open.has(name) && attempt < from.attempt) {
      return failed("OUTCOME_UNKNOWN", "outcome unknown: the run was lost while it ran, and it must not run again");
    }
    return from.gone.has(name)
      ? failed("OUTPUT_GONE", "it has run, but its output was not kept, and it must not run again")
      : null;
  }

  /** Whether a task runs again although it had run to its end, because its output is gone. */
  isGone(name: string): boolean {
    return this.#run?.from?.gone.has(name) === true;
  }

  /** The attempt of the run in which a task has ended; 0 for one that has not. */
  attemptOf(name: string): number {
    return this.#run?.from?.results.get(name)?.attempt ?? 0;
  }

  /** The number of the attempt of a task that begins, from 1. No two attempts of a run have the same one, also after it was resumed. */
  nextAttempt(name: string): number {
    const attempt = (this.#attempts.get(name) ?? 0) + 1;
    this.#attempts.set(name, attempt);
    return attempt;
  }

  /** Resolves when the start of a task is recorded. */
  async started(name: string): Promise<void> {
    await this.#run?.started(name);
  }

  /** Resolves when the end of a task is recorded. */
  async ended(name: string, result: TaskResult): Promise<void> {
    if (this.#run === null) return;
    const { status, error } = result;
    const masks = this.#masks.valuesIn(result.output);
    const isLeased = masks.some((known) => this.#leased.has(known.name));
    const kept = isLeased ? null : { result, masks: [...this.#masks.takeAdded(), ...masks] };
    const masked = error === undefined ? {} : { error: { ...error, message: this.#masks.mask(error.message) } };
    await this.#run.ended(name, { status, ...masked }, kept);
  }

  /** Records that a task does not run because of its `if`. */
  skipped(name: string): void {
    this.#run?.skipped(name);
  }
}

export function toNewTask(node: Omit<NewTask, "maxAttempts" | "isRepeatable">, retry: Task["retry"]): NewTask {
  return { ...node, maxAttempts: MAX_ATTEMPTS, isRepeatable: retry !== "never" };
}

/** Whether a task does not run again. A failure that the run survived has been seen by other tasks. */
function isFinished({ status, error }: TaskResult, { continueOnError }: Task): boolean {
  if (status === "success") return true;
  return status === "failed" && (continueOnError === true || UNKNOWN.has(error?.code));
}

function failed(code: string, message: string): RestoredTask {
  const error = { name: "Error", code, message };
  return { result: { status: "failed", error }, message: `failed: ${message}`, isNew: true };
}

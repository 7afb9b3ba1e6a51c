import type { CancelledBy, RunFinished, RunSink, TaskErrorInfo, TaskResult } from "@autokestra/runs";
import type { LeaseEvent } from "@autokestra/secrets-core";
import pLimit from "p-limit";
import type { Task, Workflow } from "../workflow/workflow.ts";
import type { RunMasks } from "./masks.ts";
import { type GuardedAttempt, type GuardedRun, guardRun, outsideAttempts } from "./process-guard.ts";
import type { RunOutput } from "./process-output.ts";
import { createRedactingSink, type RedactingSink } from "./redacting-sink.ts";
import { createRunLog, type RunLog } from "./run-log.ts";
import type { TaskAttempt } from "./task-attempt.ts";
import { TaskDisclosure, warnOfUnmaskable } from "./task-disclosure.ts";
import { createTaskExecutor, type TaskObserver, type TaskSources, type WorkflowTaskExecutor } from "./task-executor.ts";
import { EngineFailure, type TaskFailure } from "./task-failure.ts";

/** What happens to the credentials of a run. */
export interface LeaseEvents {
  readonly tell: (event: LeaseEvent) => void;
  /** Gives all events, also those from before. */
  listen(listener: (event: LeaseEvent) => void): void;
}

/** What a run is made of. */
interface RunParts {
  /** The id of the run. */
  readonly id: string;
  readonly workflow: Workflow;
  readonly sources: TaskSources;
  readonly leases: LeaseEvents;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly masks: RunMasks;
  /** Null if printed output is not masked. */
  readonly output: RunOutput | null;
  /** Whether output that a task prints becomes log lines. */
  readonly logsPrints: boolean;
  readonly sink: RunSink;
  /** Undefined if the run cannot be cancelled. */
  readonly signal: AbortSignal | undefined;
  readonly concurrency: number;
}

/** One run, from its first event to its last. */
export class WorkflowRun implements GuardedRun {
  readonly #parts: RunParts;
  readonly #sink: RedactingSink;
  readonly #log: RunLog;
  readonly #executor: WorkflowTaskExecutor;
  /** Ends the running tasks when the run times out or its sink fails. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #endsAt: number;
  readonly #outputs = new Map<string, unknown>();
  readonly #running = new Map<string, TaskAttempt>();
  readonly #started = new Set<string>();
  readonly #results = new Map<string, TaskResult>();
  readonly #disclosures: TaskDisclosure[] = [];

  constructor(parts: RunParts) {
    this.#parts = parts;
    const { id, workflow, sources, inputs, masks, output, sink, signal } = parts;
    const execution = { id, workflow: workflow.id };
    this.#sink = createRedactingSink(masks, (event) =>
      outsideAttempts(() => (output === null ? sink(event) : output.inSink(() => sink(event)))),
    );
    this.#log = createRunLog(execution.id, this.#sink);
    this.#signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    this.#endsAt = performance.now() + (workflow.timeoutSeconds ?? Number.POSITIVE_INFINITY) * 1000;
    const values = { inputs, outputs: this.#outputs, execution };
    this.#executor = createTaskExecutor(sources, values, {
      signal: this.#signal,
      isCancellable: signal !== undefined || workflow.timeoutSeconds !== undefined,
      secondsLeft: () => (this.#endsAt - performance.now()) / 1000,
      running: this.#running,
    });
  }

  /** @param warnings messages about problems found before the run */
  async execute(warnings: readonly string[]): Promise<RunFinished> {
    const { workflow, masks, concurrency, leases, sources } = this.#parts;
    const unguard = guardRun(this);
    const timer = this.#limitTime();
    try {
      this.#log.started(workflow.id, sources.scope.secrets);
      leases.listen((event) => this.#log.lease(event));
      for (const fallback of sources.scope.fallbacks) this.#log.fallback(fallback);
      for (const message of warnings) this.#log.warning(message);
      warnOfUnmaskable(masks, this.#log);
      await runTasks(workflow.tasks, concurrency, this.#signal, {
        run: async (task) => await this.#runTask(task),
        leaveOut: (task, status) => this.#record(task, { status }, null),
      });
      // Before the last event: what cannot be given back is told.
      await sources.scope.close();
      return this.#finish();
    } catch (error) {
      // The sink failed and the masker is disposed next, so running tasks are cancelled and can show nothing more.
      this.#sink.close();
      this.#stop.abort();
      throw error;
    } finally {
      clearTimeout(timer);
      unguard();
    }
  }

  stall(): void {
    const message = "the action never ended: the process had nothing left to wait for";
    for (const attempt of this.#running.values()) attempt.fail(new EngineFailure("NEVER_ENDED", message));
  }

  end(culprit: GuardedAttempt | undefined): void {
    const isCancelled = cancelledBy(this.#signal) !== null;
    for (const task of this.#parts.workflow.tasks.filter(({ id }) => !this.#results.has(id))) {
      this.#record(task, isCancelled ? { status: "cancelled" } : this.#cutOff(task, culprit), null);
    }
    this.#finish();
  }

  /** The result of a task that had not ended when the process did. */
  #cutOff({ id, needs }: Task, culprit: GuardedAttempt | undefined): TaskResult {
    if (!this.#started.has(id)) return { status: needs.length > 0 ? "skipped" : "cancelled" };
    const isCulprit = culprit !== undefined && this.#running.get(id) === culprit;
    const message = isCulprit ? "the action ended the process" : "the process ended before the task did";
    return { status: "failed", error: { name: "Error", code: "PROCESS_ENDED", message } };
  }

  #limitTime(): NodeJS.Timeout | undefined {
    const { timeoutSeconds } = this.#parts.workflow;
    if (timeoutSeconds === undefined) return undefined;
    const reason = new DOMException(`The run is out of time after ${timeoutSeconds} s`, "TimeoutError");
    return setTimeout(() => this.#stop.abort(reason), timeoutSeconds * 1000);
  }

  async #runTask(task: Task): Promise<TaskResult> {
    const start = performance.now();
    this.#started.add(task.id);
    this.#log.taskStarted(task.id, task.type);
    const result = await this.#executeTask(task);
    return this.#record(task, result, performance.now() - start);
  }

  async #executeTask(task: Task): Promise<TaskResult> {
    const { masks, output, logsPrints, workflow } = this.#parts;
    const run = { sink: this.#sink, log: this.#log, masks, output, logsPrints, declared: workflow.secrets };
    const disclosure = new TaskDisclosure(task, this.#parts.sources.actions.get(task.type)?.secretOutputs ?? [], run);
    this.#disclosures.push(disclosure);
    const outcome = await this.#executor.execute(task, this.#observe(task, disclosure));
    if (outcome.status !== "success") {
      disclosure.failed();
      return outcome.status === "cancelled" ? outcome : { status: "failed", error: toErrorInfo(outcome.failure) };
    }
    const result = outcome.output;
    disclosure.succeeded(result);
    disclosure.end();
    this.#outputs.set(task.id, result);
    return result === undefined ? { status: "success" } : { status: "success", output: result };
  }

  #observe(task: Task, disclosure: TaskDisclosure): TaskObserver {
    const log = this.#log;
    const max = (task.retry?.max ?? 0) + 1;
    return {
      attempt: () => disclosure.attempt(),
      retried(number, { message }, seconds) {
        disclosure.failed();
        disclosure.end();
        log.taskRetried(task.id, { number, max, message, seconds });
      },
      failedLate: ({ message }) => {
        if (this.#sink.isOpen()) log.warning(`the action failed after its attempt had ended: ${message}`, task.id);
        // Without the message, because nothing masks it any longer.
        else process.emitWarning(`The action ${task.type} of task '${task.id}' failed after its run had ended`);
      },
      disclose: (failure) => disclosure.disclose(failure),
    };
  }

  #record(task: Task, result: TaskResult, milliseconds: number | null): TaskResult {
    this.#results.set(task.id, result);
    this.#log.taskFinished(task.id, result, milliseconds);
    return result;
  }

  #finish(): RunFinished {
    for (const disclosure of this.#disclosures) disclosure.end();
    this.#parts.output?.close();
    const results = this.#parts.workflow.tasks.flatMap(({ id }) => {
      const result = this.#results.get(id);
      return result === undefined ? [] : [[id, result] as const];
    });
    return this.#log.finished(Object.fromEntries(results), cancelledBy(this.#signal));
  }
}

function toErrorInfo({ name, code, message, status }: TaskFailure): TaskErrorInfo {
  return { name, code, message, ...(status === undefined ? {} : { status }) };
}

/** What aborted the run; null if nothing did. */
function cancelledBy(signal: AbortSignal): CancelledBy | null {
  if (!signal.aborted) return null;
  return signal.reason instanceof Error && signal.reason.name === "TimeoutError" ? "timeout" : "user";
}

/** Runs one task, or leaves it out. Neither method rejects: both return how the task ended. */
interface TaskRunner<T> {
  run(task: T): Promise<TaskResult>;
  /** Records a task that does not start. */
  leaveOut(task: T, status: "skipped" | "cancelled"): TaskResult;
}

/**
 * Runs each task when all tasks it needs have succeeded, at most `concurrency` at a time. If one of them failed or was
 * skipped, the task is skipped. Nothing starts after the signal.
 */
async function runTasks<T extends Pick<Task, "id" | "needs">>(
  tasks: readonly T[],
  concurrency: number,
  signal: AbortSignal,
  runner: TaskRunner<T>,
): Promise<void> {
  const limit = pLimit(concurrency);
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const started = new Map<string, Promise<TaskResult>>();

  /** Starts a task at most once, so that the order of the tasks in the file does not matter. */
  async function result(task: T): Promise<TaskResult> {
    const known = started.get(task.id) ?? start(task);
    started.set(task.id, known);
    return await known;
  }

  async function start(task: T): Promise<TaskResult> {
    const needs = task.needs.flatMap((id) => byId.get(id) ?? []);
    const results = await Promise.all(needs.map(result));
    if (results.some(({ status }) => status === "failed" || status === "skipped"))
      return runner.leaveOut(task, "skipped");
    return await limit(async () => (signal.aborted ? runner.leaveOut(task, "cancelled") : await runner.run(task)));
  }

  await Promise.all(tasks.map(result));
}

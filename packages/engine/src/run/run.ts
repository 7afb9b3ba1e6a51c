import type { DurableRun, LeftLease, RunFinished, RunSink, TaskResult } from "@autokestra/runs";
import type { LeaseEvent, SecretScope } from "@autokestra/secrets-core";
import { type ParsedWorkflow, workflowFile } from "../workflow/parse-workflow.ts";
import type { Task } from "../workflow/workflow.ts";
import { CallLimit } from "./call-limit.ts";
import { type CalledWorkflows, textsOf } from "./called-workflows.ts";
import { cancelledBy, RunCancellation, TimeLimit } from "./cancellation.ts";
import { Flow } from "./flow.ts";
import { type GuardedAttempt, type GuardedRun, guardRun, outsideAttempts } from "./process-guard.ts";
import { RedactingSink } from "./redacting-sink.ts";
import type { RunContext } from "./run-context.ts";
import { RunKeeper, toNewTask } from "./run-keeper.ts";
import { RunLog } from "./run-log.ts";
import { toNode } from "./run-tasks.ts";
import { findSecretUses } from "./secret-uses.ts";
import { warnOfUnmaskable } from "./task-disclosure.ts";
import { EngineFailure } from "./task-failure.ts";

/** What happens to the credentials of a run. */
export interface LeaseEvents {
  readonly tell: (event: LeaseEvent) => void;
  /** Gives all events, also those from before. */
  listen(listener: (event: LeaseEvent) => void): void;
}

/** What a run is made of. */
interface RunParts
  extends Pick<RunContext, "id" | "actions" | "rules" | "masks" | "output" | "logsPrints" | "concurrency"> {
  /** Null for a run that is not kept. */
  readonly durable: DurableRun | null;
  /** The texts of the inputs that were given. */
  readonly given: Readonly<Record<string, string>>;
  /** The names of the secrets that are made for this run only. */
  readonly leased: ReadonlySet<string>;
  readonly parsed: ParsedWorkflow;
  readonly calls: CalledWorkflows;
  readonly scope: SecretScope;
  readonly leases: LeaseEvents;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly sink: RunSink;
  /** Undefined if the run cannot be cancelled. */
  readonly signal: AbortSignal | undefined;
}

/** One run, from its first event to its last. Its time runs from when it is created. */
export class WorkflowRun implements GuardedRun {
  readonly #parts: RunParts;
  readonly #context: RunContext;
  readonly #flow: Flow;
  readonly #limit: TimeLimit;
  /** Ends the running tasks when the sink of the run fails. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const { id, parsed, calls, scope, inputs, masks, output, sink: show, signal } = parts;
    const { timeoutSeconds } = parsed.workflow;
    const sink = new RedactingSink(masks, (event) =>
      outsideAttempts(() => (output === null ? show(event) : output.inSink(() => show(event)))),
    );
    this.#limit = new TimeLimit(timeoutSeconds, "The run");
    const signals = [this.#limit.signal, this.#stop.signal];
    this.#signal = AbortSignal.any(signal === undefined ? signals : [signal, ...signals]);
    this.#context = {
      ...parts,
      sink,
      log: new RunLog(id, sink),
      keeper: new RunKeeper(parts.durable, masks, parts.leased),
      isCancellable: signal !== undefined || timeoutSeconds !== undefined,
      running: new Map(),
      callLimit: new CallLimit(),
      disclosures: new Set(),
    };
    this.#flow = new Flow({
      context: this.#context,
      parsed,
      calls,
      level: 0,
      prefix: "",
      inputs,
      scope,
      signal: this.#signal,
      secondsLeft: () => this.#limit.secondsLeft(),
    });
  }

  /** @param warnings messages about problems found before the run */
  async execute(warnings: readonly string[]): Promise<RunFinished> {
    const { parsed, calls, leases, scope } = this.#parts;
    const { log, masks, sink } = this.#context;
    let unguard = (): void => undefined;
    try {
      await this.#begin();
      unguard = guardRun(this);
      log.started(parsed.workflow.id, scope.secrets, findSecretUses(parsed, calls).outputs, this.#parts.durable);
      for (const lease of this.#leftBehind()) log.leftBehind(lease);
      leases.listen((event) => log.lease(event));
      for (const fallback of scope.fallbacks) log.fallback(fallback);
      for (const secret of scope.secrets) if (secret.staleSeconds !== undefined) log.stale(secret);
      for (const message of warnings) log.warning(message);
      warnOfUnmaskable(masks, log);
      await this.#flow.run();
      // Before the last event, so that credentials that cannot be revoked are reported.
      await scope.close();
      return this.#finish();
    } catch (error) {
      // The sink failed and the masker is disposed next, so running tasks are cancelled and can show nothing more.
      sink.close();
      this.#stop.abort();
      throw error;
    } finally {
      this.#parts.durable?.end();
      this.#limit.end();
      unguard();
    }
  }

  /** The credentials of earlier attempts that are still valid. */
  #leftBehind(): LeftLease[] {
    const { durable } = this.#parts;
    const left = durable?.isResumed === true ? (durable.from?.leases ?? []) : [];
    return left.filter(({ expiresAt }) => Date.parse(expiresAt) > Date.now());
  }

  /** Adds the run to the ledger, or takes it over there. */
  async #begin(): Promise<void> {
    const { durable, parsed, calls, given, masks } = this.#parts;
    if (durable === null) return;
    const { workflow } = parsed;
    const { keeper } = this.#context;
    const path = workflowFile(parsed);
    const finished = new Map<string, "success" | "failed">();
    for (const task of workflow.tasks) {
      const { status } = keeper.restored(task.id, task)?.result ?? {};
      if (status === "success" || status === "failed") finished.set(task.id, status);
    }
    durable.onTaken = () => this.#stop.abort(new RunCancellation("superseded"));
    durable.onCancelled = (by) => {
      this.#stop.abort(new RunCancellation(by));
      const isReplaced = by === "superseded";
      const why = isReplaced ? "a newer run of its group takes its place" : `cancelled by another process (${by})`;
      this.#context.log.warning(why);
    };
    const beginning = {
      workflow: masks.mask(workflow.id),
      file: path === null ? null : masks.mask(path),
      secrets: workflow.secrets,
      tasks: workflow.tasks.map((task) => toNewTask(toNode(task, parsed.tasks.get(task.id)), task.retry)),
      start: { path, texts: textsOf(parsed, calls), inputs: given },
    };
    await durable.begin(beginning, finished);
  }

  stall(): void {
    const message = "the action never ended: the process had nothing left to wait for";
    for (const attempt of this.#context.running.values()) attempt.fail(new EngineFailure("NEVER_ENDED", message));
  }

  end(culprit: GuardedAttempt | undefined): void {
    const isCancelled = this.#signal.aborted;
    for (const task of this.#flow.unfinished) {
      this.#flow.cutOff(task.id, isCancelled ? { status: "cancelled" } : this.#cutOff(task, culprit));
    }
    this.#finish();
  }

  /** The result of a task that had not ended when the process did. */
  #cutOff({ id, needs }: Task, culprit: GuardedAttempt | undefined): TaskResult {
    if (!this.#flow.started.has(id)) return { status: needs.length > 0 ? "skipped" : "cancelled" };
    const isCulprit = culprit !== undefined && this.#context.running.get(id) === culprit;
    const message = isCulprit ? "the action ended the process" : "the process ended before the task did";
    return { status: "failed", error: { name: "Error", code: "PROCESS_ENDED", message } };
  }

  #finish(): RunFinished {
    for (const disclosure of this.#context.disclosures) disclosure.end();
    this.#parts.output?.close();
    const { status, outputs } = this.#flow.end();
    const by = status === "cancelled" ? cancelledBy(this.#signal) : undefined;
    return this.#context.log.finished({
      status,
      ...(by === undefined ? {} : { cancelledBy: by }),
      tasks: Object.fromEntries(this.#flow.inOrder()),
      ...(outputs === undefined ? {} : { outputs }),
    });
  }
}

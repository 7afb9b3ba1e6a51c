import type { TaskErrorInfo, TaskResult } from "@autokestra/runs";
import { type Lookup, resolveTemplates } from "@autokestra/secrets-resolver";
import { type Condition, referencesOf } from "../workflow/condition.ts";
import { holds } from "../workflow/evaluate-condition.ts";
import type { ParsedTask } from "../workflow/references.ts";
import { type Task, WORKFLOW_CALL } from "../workflow/workflow.ts";
import { asItems, type ItemOutcome, runItems } from "./for-each.ts";
import type { RunContext } from "./run-context.ts";
import type { LeftOut } from "./run-log.ts";
import { narrowScope } from "./secret-rules.ts";
import type { SecretUses } from "./secret-uses.ts";
import { type RunDisclosure, TaskDisclosure } from "./task-disclosure.ts";
import type { TaskExecutor, TaskObserver, TaskOutcome, TaskSources } from "./task-executor.ts";
import { describeThrown, type TaskFailure } from "./task-failure.ts";
import { lookup, lookupPlain, type RunValues } from "./values.ts";

/** What a task is run with. */
interface TaskRunnerParts {
  readonly context: RunContext;
  /** How many callers the workflow has. */
  readonly level: number;
  /** The beginning of the names of the tasks. */
  readonly prefix: string;
  /** The names of the secrets that the workflow declares. */
  readonly declared: readonly string[];
  readonly tasks: ReadonlyMap<string, ParsedTask>;
  readonly sources: Pick<TaskSources, "scope" | "onFiltered">;
  /** Where the tasks use which secrets. */
  readonly uses: SecretUses;
  /** Called when a task or one of its items starts, with its id. */
  readonly onStart: (id: string) => void;
  /** Called when a task or one of its items ends. */
  readonly onEnd: (id: string, result: TaskResult) => void;
}

/** Where and with what one task runs. */
export interface TaskSetting {
  readonly values: RunValues;
  readonly executor: TaskExecutor;
  /** The attempt of the run from which on an earlier end of the task counts. Default: any. */
  readonly since?: number;
  /** Cancels it. */
  readonly signal: AbortSignal;
}

/** Runs tasks: decides their `if`, goes through their `forEach`, and shows only what may be shown of them. */
export class TaskRunner {
  readonly #parts: TaskRunnerParts;
  readonly #disclosure: RunDisclosure;

  constructor(parts: TaskRunnerParts) {
    this.#parts = parts;
    this.#disclosure = { ...parts.context, declared: parts.declared };
  }

  /** Runs a task to its end, unless it has ended before the run was resumed. */
  async run(task: Task, setting: TaskSetting): Promise<TaskResult> {
    const restored = this.#restore(task, task.id, setting);
    if (restored !== null) return restored;
    const { condition = null, items = null } = this.#parts.tasks.get(task.id) ?? {};
    const isPerItem = condition !== null && items !== null && isAboutItem(condition);
    const refusal = isPerItem ? null : decide(condition, setting.values);
    if (refusal !== null) return this.leaveOut(task.id, refusal);
    if (items === null) {
      return await this.#start(task, task.id, setting, () => this.#execute(task, task.id, setting));
    }
    return await this.#track(task, task.id, async () => {
      const list = await this.#itemsOf(task, setting);
      if ("failure" in list) return { status: "failed", failure: list.failure };
      const { concurrency = 1, continueOnError = false } = task;
      return await runItems(list, { concurrency, continueOnError, signal: setting.signal }, async (item, index) => {
        const values = { ...setting.values, current: { item, index } };
        return await this.#runItem(task, `${task.id}[${index}]`, isPerItem ? condition : null, { ...setting, values });
      });
    });
  }

  /** Ends a task that does not start: for a reason of the flow, or because its `if` cannot be decided. */
  leaveOut(id: string, why: LeftOut | TaskFailure): TaskResult {
    const isFailure = typeof why === "object";
    const result: TaskResult = isFailure
      ? { status: "failed", error: toErrorInfo(why) }
      : { status: why === "cancelled" ? "cancelled" : "skipped" };
    this.#parts.onEnd(id, result);
    const { keeper } = this.#parts.context;
    if (why === "condition") keeper.skipped(this.#parts.prefix + id);
    this.#parts.context.log.taskLeftOut(this.#parts.prefix + id, result, isFailure ? "condition" : why);
    return result;
  }

  /** What a task or an item has ended with before the run was resumed; null if it has to run. */
  #restore(task: Task, id: string, { since }: TaskSetting): TaskResult | null {
    const { context, prefix, onEnd } = this.#parts;
    const restored = context.keeper.restored(prefix + id, task, since);
    if (restored === null) return null;
    if (restored.isNew) void context.keeper.ended(prefix + id, restored.result);
    if (task.forEach !== undefined && id === task.id) this.#restoreItems(task, restored.result);
    onEnd(id, id === task.id ? restored.result : withoutOutput(restored.result));
    context.log.taskRestored(prefix + id, restored.result, restored.message);
    return restored.result;
  }

  /** Tells how the items have ended of a list that does not run again. One without a result of its own was skipped. */
  #restoreItems(task: Task, { output }: TaskResult): void {
    const { context, prefix, onEnd } = this.#parts;
    for (const index of Array.isArray(output) ? output.keys() : []) {
      const id = `${task.id}[${index}]`;
      const { result } = context.keeper.restored(prefix + id, task) ?? {};
      onEnd(id, result === undefined ? { status: "skipped" } : withoutOutput(result));
    }
  }

  async #runItem(task: Task, id: string, condition: Condition | null, setting: TaskSetting): Promise<ItemOutcome> {
    const restored = this.#restore(task, id, setting);
    if (restored !== null) return toOutcome(restored);
    const refusal = decide(condition, setting.values);
    if (refusal !== null) {
      this.leaveOut(id, refusal);
      return typeof refusal === "object" ? { status: "failed", failure: refusal } : { status: "skipped" };
    }
    let outcome: TaskOutcome = { status: "cancelled" };
    await this.#start(task, id, setting, async () => {
      outcome = await this.#execute(task, id, setting);
      return outcome;
    });
    return outcome;
  }

  /** Starts a task or an item; one that calls a workflow waits until there may be one more. */
  async #start(task: Task, id: string, { signal }: TaskSetting, work: () => Promise<TaskOutcome>): Promise<TaskResult> {
    const { context, level } = this.#parts;
    if (task.type !== WORKFLOW_CALL) return await this.#track(task, id, work);
    const result = await context.callLimit.run(level, signal, async () => await this.#track(task, id, work));
    return result ?? this.leaveOut(id, "cancelled");
  }

  /** Logs the start and the end of a task or an item. */
  async #track(task: Task, id: string, work: () => Promise<TaskOutcome>): Promise<TaskResult> {
    const { context, prefix, uses, onStart, onEnd } = this.#parts;
    const start = performance.now();
    const { keeper, log } = context;
    if (keeper.isGone(prefix + id)) log.warning("runs again: its output was not kept", prefix + id);
    onStart(id);
    // The inputs of a `forEach` are those of its items.
    const isList = task.forEach !== undefined && id === task.id;
    log.taskStarted(prefix + id, task.type, uses[isList ? "items" : "tasks"].get(task.id) ?? new Map());
    await keeper.started(prefix + id);
    const result = toResult(await work());
    // Before it is reported: a task that a reader has seen as finished does not run again.
    await keeper.ended(prefix + id, result);
    // The outputs of items are in the output of their task.
    onEnd(id, id === task.id ? result : withoutOutput(result));
    const milliseconds = performance.now() - start;
    context.log.taskFinished(prefix + id, result, milliseconds, context.masks.report(prefix + id));
    return result;
  }

  async #itemsOf(task: Task, { values }: TaskSetting): Promise<readonly unknown[] | { readonly failure: TaskFailure }> {
    const { scope, onFiltered } = this.#parts.sources;
    const narrowed = narrowScope(scope, task.secrets);
    const find: Lookup = async (reference, isOptional) => await lookup(reference, values, narrowed, isOptional);
    try {
      const { items } = this.#parts.tasks.get(task.id) ?? {};
      return asItems(items ? await resolveTemplates(items, find, onFiltered) : null);
    } catch (error) {
      return { failure: describeThrown(error) };
    }
  }

  async #execute(task: Task, id: string, { values, executor }: TaskSetting): Promise<TaskOutcome> {
    const { context, prefix, tasks } = this.#parts;
    const name = prefix + id;
    const secretOutputs = context.actions.get(task.type)?.secretOutputs ?? [];
    const disclosure = new TaskDisclosure({ ...task, id: name }, secretOutputs, this.#disclosure);
    const inputs = tasks.get(task.id)?.inputs ?? { kind: "object", entries: [] };
    const outcome = await executor.execute({ task, name, inputs, values }, this.#observe(task, name, disclosure));
    if (outcome.status === "success") disclosure.succeeded(outcome.output);
    else disclosure.failed();
    disclosure.end();
    return outcome;
  }

  #observe({ retry, type }: Task, name: string, disclosure: TaskDisclosure): TaskObserver {
    const { log, sink, keeper } = this.#parts.context;
    const max = (retry === undefined || retry === "never" ? 0 : retry.max) + 1;
    return {
      attempt: () => ({ shown: disclosure.attempt(), number: keeper.nextAttempt(name) }),
      retried(number, { message }, seconds) {
        disclosure.failed();
        disclosure.end();
        log.taskRetried(name, { number, max, message, seconds });
      },
      failedLate: ({ message }) => {
        if (sink.isOpen()) log.warning(`the action failed after its attempt had ended: ${message}`, name);
        // Without the message, because nothing masks it now.
        else process.emitWarning(`The action ${type} of task '${name}' failed after its run had ended`);
      },
      disclose: (failure) => disclosure.disclose(failure),
    };
  }
}

function isAboutItem(condition: Condition): boolean {
  return referencesOf(condition).some(({ reference: { root } }) => root === "item" || root === "index");
}

/** Returns why a task does not run; null if it does. */
function decide(condition: Condition | null, values: RunValues): "condition" | TaskFailure | null {
  if (condition === null) return null;
  try {
    return holds(condition, (reference, isOptional) => lookupPlain(reference, values, isOptional)) ? null : "condition";
  } catch (error) {
    return describeThrown(error);
  }
}

function toResult(outcome: TaskOutcome): TaskResult {
  if (outcome.status === "cancelled") return outcome;
  const output = outcome.output === undefined ? {} : { output: outcome.output };
  if (outcome.status === "success") return { status: "success", ...output };
  return { status: "failed", ...output, error: toErrorInfo(outcome.failure) };
}

/** The output of a restored item. An item is restored only with a success or a failure. */
function toOutcome({ status, output, error }: TaskResult): ItemOutcome {
  if (status === "success") return { status, output };
  const { name, code, message } = error ?? { name: "Error", code: "TASK_FAILED", message: "failed" };
  return { status: "failed", failure: { ...error, name, code, message, retryable: false, isOurs: true } };
}

function withoutOutput({ status, error }: TaskResult): TaskResult {
  return error === undefined ? { status } : { status, error };
}

function toErrorInfo({ name, code, message, status }: TaskFailure): TaskErrorInfo {
  return { name, code, message, ...(status === undefined ? {} : { status }) };
}

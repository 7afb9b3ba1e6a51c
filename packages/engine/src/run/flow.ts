import type { TaskErrorInfo, TaskResult } from "@autokestra/runs";
import { type Lookup, resolveTemplates } from "@autokestra/secrets-resolver";
import { allTasks, type Task } from "../workflow/workflow.ts";
import { createWorkflowCaller } from "./call-workflow.ts";
import { finallySeconds, TimeLimit } from "./cancellation.ts";
import type { FlowEnd, FlowParts } from "./run-context.ts";
import { runTasks, toNode } from "./run-tasks.ts";
import { findSecretUses } from "./secret-uses.ts";
import { TaskExecutor, type TaskSources } from "./task-executor.ts";
import { describeThrown } from "./task-failure.ts";
import { TaskRunner, type TaskSetting } from "./task-runner.ts";
import { lookup, type RunState, type RunValues, type TaskValues } from "./values.ts";

/** What has made a flow fail first. */
interface FlowFailure {
  /** Null for the outputs of the workflow. */
  readonly task: string | null;
  readonly error: FlowError;
}

type FlowError = Pick<TaskErrorInfo, "code" | "message" | "status">;

/** The tasks of one workflow, from the first to the last of `finally`. */
export class Flow {
  /** How tasks and items have ended, by their id. */
  readonly results: Map<string, TaskResult> = new Map();
  /** The ids of the tasks that have started. */
  readonly started: Set<string> = new Set();
  readonly #parts: FlowParts;
  readonly #values = new Map<string, TaskValues>();
  readonly #runner: TaskRunner;
  readonly #sources: TaskSources;
  #failure: FlowFailure | null = null;
  #outputs: Readonly<Record<string, unknown>> | undefined;

  constructor(parts: FlowParts) {
    this.#parts = parts;
    const { context, parsed, level, prefix, scope } = parts;
    const { actions, masks, rules } = context;
    this.#sources = {
      actions,
      scope,
      onFiltered(_, text, value) {
        const name = masks.nameOfSecretIn(value);
        // A text that still has the value in it, such as a trimmed log, is masked as it is.
        if (name === null || masks.nameOfSecretIn(text) !== null) return;
        masks.add([{ name, value: text }]);
        rules.add([{ name, value: text }]);
      },
      nameOfSecretIn: (value) => masks.nameOfSecretIn(value),
      networkOf: ({ task, name }, inputs) => rules.check(parsed, task, name, inputs),
      callWorkflow: createWorkflowCaller(parts, (child) => new Flow(child)),
    };
    this.#runner = new TaskRunner({
      context,
      level,
      prefix,
      declared: parsed.workflow.secrets,
      tasks: parsed.tasks,
      sources: this.#sources,
      uses: findSecretUses(parsed, parts.calls),
      onStart: (id) => void this.started.add(id),
      onEnd: (id, result) => this.#record(id, result),
    });
  }

  /** Rejects only if the run as a whole cannot continue. */
  async run(): Promise<FlowEnd> {
    const { context, parsed, signal } = this.#parts;
    const { tasks, onFailure = [], finally: last = [] } = parsed.workflow;
    const byId = new Map(tasks.map((task) => [task.id, task]));
    const executor = this.#executor(signal, this.#parts.secondsLeft, context.isCancellable);
    await runTasks(
      tasks.map((task) => toNode(task, parsed.tasks.get(task.id))),
      context.concurrency,
      signal,
      {
        run: async (id) => {
          const task = byId.get(id);
          if (task === undefined) throw new TypeError("The workflow was not checked");
          const result = await this.#runner.run(task, { values: this.#valuesNow(), executor, signal });
          if (result.status === "failed" && task.continueOnError !== true) this.#fail(id, result);
          return result.status;
        },
        leaveOut: (id, _, why) => void this.#runner.leaveOut(id, why),
      },
    );
    await this.#resolveOutputs();
    const since = this.#sinceLastWork();
    if (this.#status === "failed") {
      for (const task of onFailure) {
        const { status } = await this.#runHandler(task, { executor, signal, since });
        if (status === "failed") context.log.warning(`Task '${task.id}' of \`onFailure\` failed`);
      }
    }
    await this.#runFinally(last, since);
    return this.end();
  }

  /** How it ended, or would end now. */
  end(): FlowEnd {
    const { status, failedTask, error } = this.#state;
    const outputs = status === "success" ? this.#outputs : undefined;
    return { status, failedTask, error, code: this.#failure?.error.code ?? null, outputs };
  }

  /** Ends a task from outside, because the process ends. */
  cutOff(id: string, result: TaskResult): void {
    this.results.set(id, result);
    if (result.status !== "success") this.#fail(id, result);
    const { log, masks } = this.#parts.context;
    log.taskFinished(id, result, 0, masks.report(id));
  }

  get #status(): RunState["status"] {
    const { parsed, signal } = this.#parts;
    const isCancelled = parsed.workflow.tasks.some(({ id }) => this.results.get(id)?.status === "cancelled");
    if (isCancelled && signal.aborted) return "cancelled";
    return this.#failure === null && !isCancelled ? "success" : "failed";
  }

  get #state(): RunState {
    return {
      status: this.#status,
      failedTask: this.#failure?.task ?? null,
      error: this.#failure?.error.message ?? null,
    };
  }

  #executor(signal: AbortSignal, secondsLeft: () => number, isCancellable: boolean): TaskExecutor {
    const { running } = this.#parts.context;
    return new TaskExecutor(this.#sources, { signal, isCancellable, secondsLeft, running });
  }

  #valuesNow(): RunValues {
    const { context, parsed, inputs } = this.#parts;
    return { inputs, tasks: this.#values, execution: { id: context.id, workflow: parsed.workflow.id } };
  }

  #record(id: string, result: TaskResult): void {
    const { masks } = this.#parts.context;
    const { status, output = null, error } = result;
    this.results.set(id, result);
    this.#values.set(id, { status, output, error: error === undefined ? null : maskError(error, masks.mask) });
  }

  #fail(task: string | null, { error }: Pick<TaskResult, "error">): void {
    const { masks } = this.#parts.context;
    const known = error ?? { code: "CANCELLED", message: "cancelled" };
    this.#failure ??= { task, error: maskError(known, masks.mask) };
  }

  async #resolveOutputs(): Promise<void> {
    const { context, parsed, scope } = this.#parts;
    if (parsed.workflow.outputs === undefined || this.#status !== "success") return;
    const values = this.#valuesNow();
    const find: Lookup = async (reference, isOptional) => await lookup(reference, values, scope, isOptional);
    try {
      const outputs = await resolveTemplates(parsed.outputs, find, this.#sources.onFiltered);
      this.#outputs = { ...(outputs as Record<string, unknown>) };
    } catch (error) {
      const failure = describeThrown(error);
      const message = `The outputs of the workflow cannot be resolved: ${failure.message}`;
      context.log.warning(message);
      this.#fail(null, { error: { ...failure, message } });
    }
  }

  /**
   * The attempt of the run from which on `onFailure` and `finally` do not run again: that of the last task before them.
   * Infinity if one has run in this attempt.
   */
  #sinceLastWork(): number {
    const { context, parsed, prefix } = this.#parts;
    if (this.started.size > 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, ...parsed.workflow.tasks.map(({ id }) => context.keeper.attemptOf(prefix + id)));
  }

  async #runHandler(task: Task, setting: Omit<TaskSetting, "values">): Promise<TaskResult> {
    if (setting.signal.aborted) return this.#runner.leaveOut(task.id, "cancelled");
    const values = { ...this.#valuesNow(), run: this.#state };
    return await this.#runner.run(task, { ...setting, values });
  }

  /** Runs the tasks of `finally`, whatever has happened before, within a time of their own. */
  async #runFinally(tasks: readonly Task[], since: number): Promise<void> {
    if (tasks.length === 0) return;
    const limit = new TimeLimit(finallySeconds(this.#parts.signal), "`finally`");
    const executor = this.#executor(limit.signal, () => limit.secondsLeft(), true);
    try {
      for (const task of tasks) {
        const result = await this.#runHandler(task, { executor, signal: limit.signal, since });
        if (result.status === "failed" || result.status === "cancelled") this.#fail(task.id, result);
      }
    } finally {
      limit.end();
    }
  }

  /** The results of all tasks in the order of the file, each with those of its items. */
  inOrder(): [id: string, result: TaskResult][] {
    const items = new Map<string, [id: string, result: TaskResult][]>();
    for (const [id, result] of this.results) {
      const task = id.split("[", 1).join();
      if (task === id) continue;
      const list = items.get(task) ?? [];
      list.push([id, result]);
      items.set(task, list);
    }
    return allTasks(this.#parts.parsed.workflow).flatMap(({ task: { id } }) => {
      const result = this.results.get(id);
      if (result === undefined) return [];
      const own = (items.get(id) ?? []).toSorted(([one], [other]) => positionOf(one) - positionOf(other));
      return [[id, result] as [string, TaskResult], ...own];
    });
  }

  /** Tasks that have neither ended nor been left out. */
  get unfinished(): Task[] {
    return allTasks(this.#parts.parsed.workflow).flatMap(({ task, list }) =>
      this.results.has(task.id) || (list !== "tasks" && !this.started.has(task.id)) ? [] : [task],
    );
  }
}

/** The 3 of `deploy[3]`. */
function positionOf(item: string): number {
  return Number(item.slice(item.indexOf("[") + 1, -1));
}

function maskError({ code, message, status }: FlowError, mask: (text: string) => string): FlowError {
  return { code: mask(code), message: mask(message), ...(status === undefined ? {} : { status }) };
}

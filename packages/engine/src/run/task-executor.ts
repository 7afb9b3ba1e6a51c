import { setMaxListeners } from "node:events";
import { setTimeout } from "node:timers/promises";
import { type Action, type ActionContext, invokeAction, type NetworkPolicy } from "@autokestra/plugin-sdk";
import type { LogLevel } from "@autokestra/runs";
import type { SecretScope } from "@autokestra/secrets-core";
import {
  hasReference,
  type Lookup,
  type OnFiltered,
  resolveTemplates,
  type TemplateTree,
} from "@autokestra/secrets-resolver";
import { type Task, WORKFLOW_CALL } from "../workflow/workflow.ts";
import { narrowScope } from "./secret-rules.ts";
import { planNextAttempt, TaskAttempt } from "./task-attempt.ts";
import type { AttemptDisclosure } from "./task-disclosure.ts";
import { describeThrown, EngineFailure, type TaskFailure, toText } from "./task-failure.ts";
import { readOutput } from "./to-json.ts";
import { lookup, type RunValues } from "./values.ts";

/** Observes a task while it runs. */
export interface TaskObserver {
  /** Called when an attempt begins. Returns what it may show, and its number among all attempts of the task in this run. */
  attempt(): { readonly shown: AttemptDisclosure; readonly number: number };
  /**
   * Called when an attempt failed and another one follows.
   *
   * @param attempt the number of the failed attempt, from 1 for each start of the task
   * @param seconds the time until the next one
   */
  retried(attempt: number, failure: TaskFailure, seconds: number): void;
  /** Called when the action fails after its attempt has ended. */
  failedLate(failure: TaskFailure): void;
  /** Returns a failure without what may be secret in it. */
  readonly disclose: (failure: TaskFailure) => TaskFailure;
}

/** A task with everything that it is called with. */
interface TaskCall {
  readonly task: Task;
  /** Its name in the run: `deploy`, `deploy[3]` for an item, `child/deploy` in a called workflow. */
  readonly name: string;
  readonly inputs: TemplateTree;
  readonly values: RunValues;
}

/** What limits the tasks of a run. */
export interface RunLimits {
  /** Cancels the run. */
  readonly signal: AbortSignal;
  /** Whether something other than the run itself can do so. */
  readonly isCancellable: boolean;
  /** The time left for the run; Infinity without a limit. */
  readonly secondsLeft: () => number;
  /** The running attempts, by the name of the task. */
  readonly running: Map<string, TaskAttempt>;
}

/** How a task ended. A failure is not masked yet: only the redacting sink gets it. */
export type TaskOutcome =
  | { readonly status: "success"; readonly output: unknown }
  /** The output of a `forEach` has what its other items have returned. */
  | { readonly status: "failed"; readonly failure: TaskFailure; readonly output?: unknown }
  | { readonly status: "cancelled" };

/** Where the tasks of a workflow get their actions and secrets. */
export interface TaskSources {
  /** The actions, by type. */
  readonly actions: ReadonlyMap<string, Action>;
  readonly scope: Pick<SecretScope, "lookup">;
  readonly onFiltered: OnFiltered;
  /** The name of a secret value that is in a value; null if none is. */
  readonly nameOfSecretIn: (value: unknown) => string | null;
  /**
   * Returns where a task with these resolved inputs may connect to; undefined for anywhere.
   *
   * @throws EngineFailure if it may not have the secrets in them
   */
  readonly networkOf: (call: TaskCall, inputs: unknown) => NetworkPolicy | undefined;
  /** Runs another workflow, for tasks that call one. */
  readonly callWorkflow: (call: TaskCall, inputs: unknown, signal: AbortSignal) => Promise<unknown>;
}

/** Runs tasks: resolves the inputs right before each attempt, calls the action, and retries as the task says. */
export class TaskExecutor {
  readonly #sources: TaskSources;
  readonly #limits: RunLimits;

  constructor(sources: TaskSources, limits: RunLimits) {
    this.#sources = sources;
    this.#limits = limits;
    // Every running task listens to it, and more than ten would make Node warn of a leak.
    setMaxListeners(0, limits.signal);
  }

  async execute(call: TaskCall, observer: TaskObserver): Promise<TaskOutcome> {
    const { signal, secondsLeft } = this.#limits;
    const { retry } = call.task;
    const plan = retry === "never" ? undefined : retry;
    for (let number = 1; !signal.aborted; number++) {
      try {
        return { status: "success", output: await this.#attempt(call, observer) };
      } catch (thrown) {
        if (signal.aborted) break;
        const next = planNextAttempt(plan, number, observer.disclose(describeThrown(thrown)), secondsLeft());
        if ("failure" in next) return { status: "failed", failure: next.failure };
        observer.retried(number, next.cause, next.seconds);
        await waitUnlessAborted(next.seconds, signal);
      }
    }
    return { status: "cancelled" };
  }

  async #attempt(call: TaskCall, observer: TaskObserver): Promise<unknown> {
    const { actions, scope, onFiltered, networkOf, callWorkflow } = this.#sources;
    const { signal, isCancellable, running } = this.#limits;
    const { task, name, values } = call;
    const action = actions.get(task.type);
    if (action === undefined) throw new TypeError("The workflow was not prepared");
    const narrowed = narrowScope(scope, task.secrets);
    const find: Lookup = async (reference, isOptional) => await lookup(reference, values, narrowed, isOptional);
    const inputs = await resolveTemplates(call.inputs, find, onFiltered);
    const network = networkOf(call, inputs);
    const isCall = task.type === WORKFLOW_CALL;
    const own = new TaskAttempt({
      timeoutSeconds: task.timeoutSeconds,
      cancelSignal: signal,
      isCancellable,
      // A called workflow has tasks of its own to end.
      isAwaited: isCall || action.endsOnSignal === true,
      onLateFailure: (failure) => observer.failedLate(observer.disclose(failure)),
    });
    const { shown, number } = observer.attempt();
    const context: ActionContext = {
      log: createLog(shown),
      get signal() {
        return own.signal;
      },
      task: { id: name, type: task.type, attempt: number },
      execution: values.execution,
      idempotencyKey: `${values.execution.id}:${name}`,
      mask: shown.mask,
      print: shown.print,
      ...(network && { network }),
    };
    for (const key of action.shownInputs ?? []) this.#refuseSecret(call, key, inputs);
    running.set(name, own);
    try {
      return await own.run(async () => {
        if (isCall) return await callWorkflow(call, inputs, own.signal);
        return readOutput(await shown.run(async () => await invokeAction(action, inputs, context)));
      });
    } finally {
      running.delete(name);
    }
  }

  /** The value of a reference can be secret although nobody could tell from the workflow. */
  #refuseSecret({ inputs, task }: TaskCall, key: string, resolved: unknown): void {
    const template = inputs.kind === "object" ? inputs.entries.find(([name]) => name === key)?.[1] : undefined;
    if (template === undefined || !hasReference(template)) return;
    const value = typeof resolved === "object" && resolved !== null ? Reflect.get(resolved, key) : undefined;
    const name = this.#sources.nameOfSecretIn(value);
    if (name !== null)
      throw new EngineFailure("SECRET_SHOWN", `'${key}' of ${task.type} would show the secret ${name}`);
  }
}

/** Returns early when the signal comes. */
async function waitUnlessAborted(seconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(seconds * 1000, undefined, { signal }).catch(() => undefined);
}

/** Messages are converted, because a plugin may log anything. */
function createLog(shown: AttemptDisclosure): ActionContext["log"] {
  const at =
    (level: LogLevel): ActionContext["log"][LogLevel] =>
    (message, data) =>
      shown.log(level, toText(message), data);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

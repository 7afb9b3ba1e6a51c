import { setMaxListeners } from "node:events";
import { setTimeout } from "node:timers/promises";
import { type Action, type ActionContext, invokeAction } from "@autokestra/plugin-sdk";
import type { LogLevel } from "@autokestra/runs";
import { AutokestraError, type Reference, type SecretScope } from "@autokestra/secrets-core";
import { formatReference } from "@autokestra/secrets-core/internal";
import { resolveTemplates, type TemplateTree } from "@autokestra/secrets-resolver";
import type { Task } from "../workflow/workflow.ts";
import { planNextAttempt, TaskAttempt } from "./task-attempt.ts";
import type { AttemptDisclosure } from "./task-disclosure.ts";
import { describeThrown, type TaskFailure, toText } from "./task-failure.ts";
import { readOutput } from "./to-json.ts";

/** Observes a task while it runs. */
export interface TaskObserver {
  /** Called when an attempt begins. */
  attempt(): AttemptDisclosure;
  /**
   * Called when an attempt failed and another one follows.
   *
   * @param attempt the number of the failed attempt, from 1
   * @param seconds the time until the next one
   */
  retried(attempt: number, failure: TaskFailure, seconds: number): void;
  /** Called when the action fails after its attempt has ended. */
  failedLate(failure: TaskFailure): void;
  /** Returns a failure without what may be secret in it. */
  readonly disclose: (failure: TaskFailure) => TaskFailure;
}

/** The values of all references except secrets. */
export interface RunValues {
  readonly inputs: Readonly<Record<string, unknown>>;
  /** The outputs of successful tasks as JSON data. They are not masked, and only other tasks get them. */
  readonly outputs: ReadonlyMap<string, unknown>;
  readonly execution: ActionContext["execution"];
}

/** What limits the tasks of a run. */
export interface RunLimits {
  /** Cancels the run. */
  readonly signal: AbortSignal;
  /** Whether something other than the run itself can do so. */
  readonly isCancellable: boolean;
  /** The time left for the run; Infinity without a limit. */
  readonly secondsLeft: () => number;
  /** The running attempts, by the id of the task. */
  readonly running: Map<string, TaskAttempt>;
}

/** How a task ended. A failure is not masked yet: only the redacting sink gets it. */
type TaskOutcome =
  | { readonly status: "success"; readonly output: unknown }
  | { readonly status: "failed"; readonly failure: TaskFailure }
  | { readonly status: "cancelled" };

/** Runs tasks: resolves the inputs right before each attempt, calls the action, and retries as the task says. */
export interface WorkflowTaskExecutor {
  execute(task: Task, observer: TaskObserver): Promise<TaskOutcome>;
}

/** The actions and inputs of the tasks of a run. */
export interface TaskSources {
  /** The actions, by type. */
  readonly actions: ReadonlyMap<string, Action>;
  /** The inputs, by the id of the task. */
  readonly templates: ReadonlyMap<string, TemplateTree>;
  readonly scope: SecretScope;
}

export function createTaskExecutor(
  { actions, templates, scope }: TaskSources,
  values: RunValues,
  limits: RunLimits,
): WorkflowTaskExecutor {
  const { signal, isCancellable, secondsLeft, running } = limits;
  // Every running task listens to it, and more than ten would make Node warn of a leak.
  setMaxListeners(0, signal);

  async function attempt(task: Task, observer: TaskObserver, number: number): Promise<unknown> {
    const { timeoutSeconds } = task;
    const [action, template] = [actions.get(task.type), templates.get(task.id)];
    if (action === undefined || template === undefined) throw new TypeError("The workflow was not prepared");
    const onLateFailure = (failure: TaskFailure) => observer.failedLate(observer.disclose(failure));
    const inputs = await resolveTemplates(template, async (reference) => await lookup(reference, scope, values));
    const own = new TaskAttempt({ timeoutSeconds, cancelSignal: signal, isCancellable, onLateFailure });
    const shown = observer.attempt();
    const context: ActionContext = {
      log: createLog(shown),
      signal: own.signal,
      task: { id: task.id, type: task.type, attempt: number },
      execution: values.execution,
      mask: shown.mask,
    };
    running.set(task.id, own);
    try {
      return await own.run(async () =>
        readOutput(await shown.run(async () => await invokeAction(action, inputs, context))),
      );
    } finally {
      running.delete(task.id);
    }
  }

  return {
    async execute(task, observer) {
      for (let number = 1; !signal.aborted; number++) {
        try {
          return { status: "success", output: await attempt(task, observer, number) };
        } catch (thrown) {
          if (signal.aborted) break;
          const next = planNextAttempt(task.retry, number, observer.disclose(describeThrown(thrown)), secondsLeft());
          if ("failure" in next) return { status: "failed", failure: next.failure };
          observer.retried(number, next.cause, next.seconds);
          await waitUnlessAborted(next.seconds, signal);
        }
      }
      return { status: "cancelled" };
    },
  };
}

/** Returns early when the signal comes. */
async function waitUnlessAborted(seconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(seconds * 1000, undefined, { signal }).catch(() => undefined);
}

async function lookup(
  reference: Reference,
  scope: SecretScope,
  { inputs, outputs, execution }: RunValues,
): Promise<unknown> {
  switch (reference.root) {
    case "secrets":
      return await scope.lookup(reference);
    case "inputs":
      return inputs[reference.name];
    case "tasks":
      return walk(reference, outputs.get(reference.id));
    case "execution":
      return execution.id;
    default:
      return execution.workflow;
  }
}

/** Follows the path into the output of a task, through own properties only, because an output is data. */
function walk(reference: Reference & { root: "tasks" }, output: unknown): unknown {
  let value = output;
  for (const key of reference.path) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) {
      // The keys that are there are not named: they are data, and hints are not masked.
      throw new AutokestraError("REFERENCE_INVALID", `'${formatReference(reference)}': there is no '${key}'`);
    }
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** Messages are converted, because a plugin may log anything. */
function createLog(shown: AttemptDisclosure): ActionContext["log"] {
  const at =
    (level: LogLevel): ActionContext["log"][LogLevel] =>
    (message, data) =>
      shown.log(level, toText(message), data);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

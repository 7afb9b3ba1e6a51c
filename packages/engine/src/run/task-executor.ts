import { once, setMaxListeners } from "node:events";
import { type ActionContext, invokeAction, PluginInputError } from "@autokestra/plugin-sdk";
import { AutokestraError, formatReference, type Reference, type SecretScope } from "@autokestra/secrets-core";
import { resolveTemplates } from "@autokestra/secrets-resolver";
import pRetry, { AbortError } from "p-retry";
import type { ReadyTask } from "./prepare-run.ts";
import type { AttemptDisclosure } from "./task-disclosure.ts";

const MAX_BACKOFF_SECONDS = 60;

/** What the executor tells of a task while it runs. */
export interface TaskObserver {
  /** An attempt begins. */
  attempt(): AttemptDisclosure;
  retried(attempt: number, error: Error): void;
}

/** The values that references other than secrets stand for. */
export interface RunValues {
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Outputs of the tasks that have succeeded: as they are, for other tasks only. */
  readonly outputs: ReadonlyMap<string, unknown>;
  readonly execution: ActionContext["execution"];
}

/** Resolves a task's inputs at the last moment, calls its action, again where the task says so. */
export interface WorkflowTaskExecutor {
  /**
   * @returns the output of the action
   * @throws what the last attempt threw: not masked yet, for the masked exit only
   */
  execute(task: ReadyTask, observer: TaskObserver): Promise<unknown>;
}

/** @param signal ends all tasks */
export function createTaskExecutor(scope: SecretScope, values: RunValues, signal: AbortSignal): WorkflowTaskExecutor {
  // Every task that runs listens to it; more than ten are no leak.
  setMaxListeners(0, signal);

  async function attempt(task: ReadyTask, observer: TaskObserver, number: number): Promise<unknown> {
    const attemptSignal = withTimeout(signal, task.timeoutSeconds);
    const inputs = resolveTemplates(task.inputs, (reference) => lookup(reference, scope, values));
    const shown = observer.attempt();
    const context: ActionContext = {
      log: createLog(shown),
      signal: attemptSignal,
      task: { id: task.id, type: task.type, attempt: number },
      execution: values.execution,
      mask: shown.mask,
    };
    const work = shown.run(async () => await invokeAction(task.action, inputs, context));
    return await untilAborted(work, attemptSignal, task.timeoutSeconds);
  }

  return {
    async execute(task, observer) {
      const { max = 0, backoffSeconds = 0 } = task.retry ?? {};
      return await pRetry(async (number) => await attempt(task, observer, number).catch(rejectWithError), {
        retries: max,
        minTimeout: backoffSeconds * 1000,
        maxTimeout: Math.max(backoffSeconds, MAX_BACKOFF_SECONDS) * 1000,
        randomize: true,
        signal,
        onFailedAttempt({ error, attemptNumber, retriesLeft }) {
          if (retriesLeft > 0) observer.retried(attemptNumber, error);
        },
      });
    },
  };
}

function lookup(reference: Reference, scope: SecretScope, { inputs, outputs, execution }: RunValues): unknown {
  switch (reference.root) {
    case "secrets":
      return scope.lookup(reference);
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

/** Follows the path into the output of a task. Only own properties: an output is data. */
function walk(reference: Reference & { root: "tasks" }, output: unknown): unknown {
  let value = output;
  for (const key of reference.path) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) {
      // What is there instead is data, and no masker sees a hint.
      throw new AutokestraError("REFERENCE_INVALID", `'${formatReference(reference)}': there is no '${key}'`);
    }
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function withTimeout(signal: AbortSignal, seconds: number | undefined): AbortSignal {
  return seconds === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]);
}

/** Does not wait for an action that ignores its signal. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal, seconds: number | undefined): Promise<T> {
  const settled = new AbortController();
  const aborted = once(signal, "abort", { signal: settled.signal }).then(() => {
    throw new Error(isTimeout(signal) ? `timed out after ${seconds} s` : "cancelled");
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    settled.abort();
  }
}

function isTimeout(signal: AbortSignal): boolean {
  return signal.reason instanceof Error && signal.reason.name === "TimeoutError";
}

function createLog({ log }: AttemptDisclosure): ActionContext["log"] {
  return {
    debug: (message, data) => log("debug", message, data),
    info: (message, data) => log("info", message, data),
    warn: (message, data) => log("warn", message, data),
    error: (message, data) => log("error", message, data),
  };
}

/** A plugin may throw anything. Inputs that do not fit will not fit the next time either. */
function rejectWithError(thrown: unknown): never {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  throw error instanceof PluginInputError || error instanceof AutokestraError ? new AbortError(error) : error;
}

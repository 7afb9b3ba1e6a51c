import type { Plugin } from "@autokestra/plugin-sdk";
import { corePlugins } from "@autokestra/plugins-core";
import { AutokestraError, type SecretSource } from "@autokestra/secrets-core";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import { createMaskedExit } from "./masked-exit.ts";
import { type PreparedRun, prepareRun, type ReadyTask } from "./prepare-run.ts";
import { openRunOutput, type RunOutput } from "./process-output.ts";
import type { CancelledBy, RunFinished, RunSink, TaskResult } from "./run-event.ts";
import { readInputs, secretInputValues } from "./run-inputs.ts";
import { createRunJournal } from "./run-journal.ts";
import { createRunMasks, type RunMasks } from "./run-masks.ts";
import { runTasks } from "./run-tasks.ts";
import { secretValues } from "./secret-values.ts";
import { TaskDisclosure, warnOfUnmaskable } from "./task-disclosure.ts";
import { createTaskExecutor, type TaskObserver } from "./task-executor.ts";

export interface RunOptions {
  /** Where secrets are looked for, in this order. */
  readonly sources: readonly SecretSource[];
  /** Gets every event, masked. */
  readonly sink: RunSink;
  /** Inputs by name, as text. */
  readonly inputs?: Readonly<Record<string, string>> | undefined;
  /** Default: the core plugins. */
  readonly plugins?: readonly Plugin[] | undefined;
  /** Cancels the run: tasks that have not finished fail. */
  readonly signal?: AbortSignal | undefined;
  /** How many tasks may run at the same time. Default 10. */
  readonly concurrency?: number | undefined;
  /**
   * What happens to what code of this process prints with `console`, `process.stdout` and `process.stderr` while the run is open, and for
   * 60 seconds after it: true masks it, false leaves it alone, for programs that own these streams. Default: true.
   */
  readonly maskProcessOutput?: boolean | ProcessOutputOptions | undefined;
}

/** How what the process prints is masked. */
export interface ProcessOutputOptions {
  /**
   * `text` prints it, masked. `log` makes a `task.log` event of each line that a task prints; what no task has printed then goes to
   * standard error. Default: `text`.
   */
  readonly as?: "text" | "log";
  /** For how long it is masked after the end of the run. Infinity: until the process ends. Default: 60. */
  readonly keepSeconds?: number;
  /** Writes what is printed, masked, for programs that have a queue of their own. Default: the streams write it. */
  readonly write?: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
}

/**
 * Runs a workflow to its end. A failed task is a result, not an exception.
 *
 * @returns the last event, masked like all
 * @throws before the first task: AutokestraError `WORKFLOW_DISABLED`, `INPUT_INVALID`, and all of `prepareRun`
 */
export async function runWorkflow(parsed: ParsedWorkflow, options: RunOptions): Promise<RunFinished> {
  const { sources, plugins = corePlugins } = options;
  if (!parsed.workflow.enabled) {
    throw new AutokestraError("WORKFLOW_DISABLED", `Workflow '${parsed.workflow.id}' is disabled`, {
      hint: "Set `enabled: true` in its file.",
    });
  }
  const inputs = readInputs(parsed.workflow, options.inputs ?? {});
  const prepared = await prepareRun(parsed, { sources, plugins, given: options.inputs });
  const output = maskProcessOutput(options.maskProcessOutput);
  const masks = createRunMasks(output);
  try {
    masks.add(secretValues(prepared.scope.secrets));
    masks.add(secretInputValues(parsed.workflow, inputs));
    return await runPrepared(parsed, prepared, inputs, masks, output, options);
  } catch (error) {
    throw error instanceof AutokestraError ? error : masks.maskValue(error);
  } finally {
    prepared.scope.close();
    output?.close();
    masks.dispose();
  }
}

async function runPrepared(
  { workflow }: ParsedWorkflow,
  { scope, tasks, warnings }: PreparedRun,
  inputs: Readonly<Record<string, unknown>>,
  masks: RunMasks,
  output: RunOutput | null,
  { sink, maskProcessOutput: printing, signal = new AbortController().signal, concurrency = 10 }: RunOptions,
): Promise<RunFinished> {
  const execution = { id: crypto.randomUUID(), workflow: workflow.id };
  const outputs = new Map<string, unknown>();
  const broken = new AbortController();
  const executor = createTaskExecutor(scope, { inputs, outputs, execution }, AbortSignal.any([signal, broken.signal]));
  const exit = createMaskedExit(masks, output === null ? sink : (event) => output.inSink(() => sink(event)));
  const journal = createRunJournal(execution.id, exit);
  const logsPrints = typeof printing === "object" && printing.as === "log";
  const disclosures: TaskDisclosure[] = [];

  async function runTask(task: ReadyTask): Promise<TaskResult> {
    const disclosure = new TaskDisclosure(task, {
      exit,
      journal,
      masks,
      output,
      logsPrints,
      declared: workflow.secrets,
    });
    disclosures.push(disclosure);
    const observer: TaskObserver = {
      attempt: () => disclosure.attempt(),
      retried(attempt, error) {
        disclosure.failed();
        journal.taskRetried(task.id, attempt, error);
      },
    };
    try {
      const result = await executor.execute(task, observer);
      disclosure.succeeded(result);
      disclosure.end();
      outputs.set(task.id, result);
      return result === undefined ? { status: "success" } : { status: "success", output: result };
    } catch (error) {
      disclosure.failed();
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      return { status: "failed", error: { name, message } };
    }
  }

  try {
    journal.started(workflow.id);
    for (const { message } of warnings) journal.warning(message);
    warnOfUnmaskable(masks, journal);
    const results = await runTasks(tasks, concurrency, {
      async run(task) {
        const start = performance.now();
        journal.taskStarted(task.id, task.type);
        const result = await runTask(task);
        journal.taskFinished(task.id, result, performance.now() - start);
        return result;
      },
      skip(task) {
        const result: TaskResult = { status: "skipped" };
        journal.taskFinished(task.id, result, null);
        return result;
      },
    });
    for (const disclosure of disclosures) disclosure.end();
    output?.close();
    return journal.finished(results, cancelledBy(signal));
  } catch (error) {
    // The sink is gone, and the masker goes next: what still runs is cancelled and has no way out.
    exit.close();
    broken.abort();
    throw error;
  }
}

/** Null where what the process prints is left alone. */
function maskProcessOutput(options: RunOptions["maskProcessOutput"] = true): RunOutput | null {
  if (options === false) return null;
  const { as = "text", keepSeconds = 60, write } = options === true ? {} : options;
  return openRunOutput({ keepSeconds, reservesStdout: as === "log", write });
}

/** Null where nothing has aborted the run. */
function cancelledBy(signal: AbortSignal): CancelledBy | null {
  if (!signal.aborted) return null;
  return signal.reason instanceof Error && signal.reason.name === "TimeoutError" ? "timeout" : "user";
}

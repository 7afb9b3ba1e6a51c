import type { Plugin } from "@autokestra/plugin-sdk";
import { corePlugins } from "@autokestra/plugins-core";
import { AutokestraError, type SecretMasker, type SecretSource } from "@autokestra/secrets-core";
import { createMasker } from "@autokestra/secrets-masker";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import { createMaskedExit } from "./masked-exit.ts";
import { type PreparedRun, prepareRun, type ReadyTask } from "./prepare-run.ts";
import type { CancelledBy, RunFinished, RunSink, TaskResult } from "./run-event.ts";
import { readInputs } from "./run-inputs.ts";
import { createRunJournal } from "./run-journal.ts";
import { runTasks } from "./run-tasks.ts";
import { secretValues } from "./secret-values.ts";
import { createTaskExecutor } from "./task-executor.ts";

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
  const prepared = await prepareRun(parsed, { sources, plugins });
  const masker = createMasker();
  try {
    masker.add(secretValues(prepared.scope.secrets));
    return await runPrepared(parsed, prepared, inputs, masker, options);
  } catch (error) {
    throw error instanceof AutokestraError ? error : masker.maskValue(error);
  } finally {
    prepared.scope.close();
    masker.dispose();
  }
}

async function runPrepared(
  { workflow }: ParsedWorkflow,
  { scope, tasks, warnings }: PreparedRun,
  inputs: Readonly<Record<string, unknown>>,
  masker: SecretMasker,
  { sink, signal = new AbortController().signal, concurrency = 10 }: RunOptions,
): Promise<RunFinished> {
  const execution = { id: crypto.randomUUID(), workflow: workflow.id };
  const outputs = new Map<string, unknown>();
  const broken = new AbortController();
  const executor = createTaskExecutor(scope, { inputs, outputs, execution }, AbortSignal.any([signal, broken.signal]));
  const exit = createMaskedExit(masker, sink);
  const journal = createRunJournal(execution.id, exit);

  async function runTask(task: ReadyTask): Promise<TaskResult> {
    try {
      const output = await executor.execute(task, {
        log: (level, message, data) => journal.taskLog(task.id, level, message, data),
        retried: (attempt, error) => journal.taskRetried(task.id, attempt, error),
      });
      outputs.set(task.id, output);
      return output === undefined ? { status: "success" } : { status: "success", output };
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      return { status: "failed", error: { name, message } };
    }
  }

  try {
    journal.started(workflow.id);
    for (const { message } of warnings) journal.warning(message);
    for (const name of masker.unmaskable()) {
      journal.warning(`Secret '${name}' has a value that is too short or too common to be masked`);
    }
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
    return journal.finished(results, cancelledBy(signal));
  } catch (error) {
    // The sink is gone, and the masker goes next: what still runs is cancelled and has no way out.
    exit.close();
    broken.abort();
    throw error;
  }
}

/** Null where nothing has aborted the run. */
function cancelledBy(signal: AbortSignal): CancelledBy | null {
  if (!signal.aborted) return null;
  return signal.reason instanceof Error && signal.reason.name === "TimeoutError" ? "timeout" : "user";
}

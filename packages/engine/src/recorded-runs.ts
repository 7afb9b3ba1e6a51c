import type { KeptRun, RunFinished, RunSink } from "@autokestra/runs";
import type { AuditActor, AuditOutcome, SecretsManager, SecretsOptions } from "@autokestra/secrets";
import { AutokestraError, type SecretSource } from "@autokestra/secrets-core";
import type { CurrentConfig, Where } from "./current-config.ts";
import { type KeptRuns, workflowOf } from "./run/kept-runs.ts";
import { type RunOptions, runWorkflow } from "./run/run-workflow.ts";
import type { ParsedWorkflow } from "./workflow/parse-workflow.ts";

/** What one run takes besides what the engine has. */
export interface EngineRunOptions
  extends Omit<
    RunOptions,
    "sources" | "resolution" | "plugins" | "loadPlugins" | "sink" | "keepInEnvironment" | "durable"
  > {
  /** Called with every event, masked, after it was recorded. Default: events are only recorded. */
  readonly sink?: RunSink | undefined;
  /** Called once when the run can no longer be recorded, which does not stop it. Default: such failures are ignored. */
  readonly onUnrecorded?: ((error: AutokestraError) => void) | undefined;
  /** Who the audit log says has started it. Default: that of the engine. */
  readonly actor?: AuditActor | undefined;
  /** The id of the request that has started it, for the audit log. Default: none. */
  readonly requestId?: string | undefined;
  /** Whether it waits in `queued` of the engine: it begins only if nobody has cancelled it there. Default: false. */
  readonly fromQueue?: boolean | undefined;
}

/** What {@link EngineRuns.resume} takes. */
export interface ResumeOptions extends Omit<EngineRunOptions, "inputs" | "runId"> {
  /** Goes on although the run may still be running on another host. Default: false. */
  readonly force?: boolean | undefined;
  /** Called with the workflow before the run goes on, as its file is now. */
  readonly onWorkflow?: ((workflow: ParsedWorkflow) => void) | undefined;
  /** Called with a sentence if the workflow has changed since the run began. Default: it is not told. */
  readonly onChanged?: ((message: string) => void) | undefined;
}

/** What {@link EngineRuns.rerun} takes. */
export interface RerunOptions extends EngineRunOptions, Pick<ResumeOptions, "onWorkflow" | "onChanged"> {
  /**
   * The id of the first task to run: it and those that need it run, and what others have returned is taken from the
   * earlier run. Default: all tasks run.
   */
  readonly from?: string | undefined;
}

/** A workflow, and the texts of the inputs that a run of it gets. */
export interface RunInput {
  readonly workflow: ParsedWorkflow;
  readonly inputs: Readonly<Record<string, string>>;
}

/** Runs workflows, and records them in the run history and in the audit log. */
export interface EngineRuns {
  /**
   * Runs a workflow to its end and records the run. A failed task is a result, not an exception.
   *
   * @throws the same as {@link runWorkflow}; `AUDIT_UNAVAILABLE` where the audit log is on and cannot be written: the run has not
   * started then; `RUN_ENDED` where it was cancelled before it began
   */
  run(workflow: ParsedWorkflow, options?: EngineRunOptions): Promise<RunFinished>;
  /**
   * What {@link EngineRuns.resume} would run, to refuse it before it is put in a queue.
   *
   * @throws AutokestraError `RUN_NOT_FOUND`, `RUN_NOT_RESUMABLE`, `WORKFLOW_NOT_FOUND`, `WORKFLOW_INVALID`
   */
  toResume(runId: string): Promise<RunInput>;
  /** The same for {@link EngineRuns.rerun}. @throws AutokestraError the same, and `TASK_NOT_FOUND` */
  toRerun(runId: string, from?: string): Promise<RunInput>;
  /**
   * Goes on with a run that was lost, has failed or was cancelled, under its id: tasks that have succeeded do not run
   * again. The workflow is read again, and secrets are resolved again.
   *
   * @throws the same as {@link EngineRuns.run}; `RUN_NOT_FOUND`, `RUN_ACTIVE`, `RUN_NOT_RESUMABLE`
   */
  resume(runId: string, options?: ResumeOptions): Promise<RunFinished>;
  /**
   * Runs the workflow of an earlier run again, as a new run with the same inputs. Inputs that are given replace them.
   *
   * @throws the same as {@link EngineRuns.resume}; `TASK_NOT_FOUND` if there is no such task to begin with
   */
  rerun(runId: string, options?: RerunOptions): Promise<RunFinished>;
}

/** What a run takes of its engine. */
interface EngineParts extends Pick<SecretsOptions, "onNotice" | "keepInEnvironment"> {
  readonly manager: SecretsManager;
  readonly configs: CurrentConfig;
  readonly keptRuns: KeptRuns;
}

export function createRecordedRuns(parts: EngineParts): EngineRuns {
  const { keptRuns } = parts;
  return {
    run: async (workflow, runOptions = {}) => await runRecorded(parts, workflow, runOptions),
    async toResume(runId) {
      const { start } = await keptRuns.open(runId);
      return { workflow: await workflowOf(start), inputs: start.inputs };
    },
    async toRerun(runId, from) {
      const { kept, workflow } = await keptRuns.again(runId, from);
      return { workflow, inputs: kept?.start.inputs ?? {} };
    },
    async resume(runId, { force, onWorkflow, onChanged, ...runOptions } = {}) {
      const from = await keptRuns.open(runId);
      const workflow = await workflowOf(from.start, onChanged);
      onWorkflow?.(workflow);
      return await runRecorded(parts, workflow, { ...runOptions, runId, inputs: from.start.inputs }, { from, force });
    },
    async rerun(runId, { from: first, onWorkflow, onChanged, ...runOptions } = {}) {
      const { kept, workflow } = await keptRuns.again(runId, first, onChanged);
      onWorkflow?.(workflow);
      const inputs = { ...kept?.start.inputs, ...runOptions.inputs };
      return await runRecorded(parts, workflow, { ...runOptions, inputs }, { from: kept });
    },
  };
}

/** Runs a workflow, and records it in the run history and in the audit log. */
async function runRecorded(
  { manager, configs, keptRuns, onNotice, keepInEnvironment }: EngineParts,
  workflow: ParsedWorkflow,
  { sink, onUnrecorded, actor, requestId, fromQueue, ...runOptions }: EngineRunOptions,
  { from = null, force }: { readonly from?: KeptRun | null; readonly force?: boolean | undefined } = {},
): Promise<RunFinished> {
  const runId = runOptions.runId ?? crypto.randomUUID();
  const { durable, record, whyNotKept } = await keptRuns.durable(runId, { from, force, fromQueue }, (error) =>
    onUnrecorded?.(error),
  );
  const finished = await configs.useWithPlugins(async ({ config, where, plugins }, loadPlugins) => {
    const work = async (recorded: Where) =>
      await runWorkflow(workflow, {
        placeholder: config?.placeholder,
        ...runOptions,
        ...recorded,
        runId,
        durable,
        plugins,
        loadPlugins,
        keepInEnvironment,
        sink(event) {
          record(event);
          sink?.(event);
        },
      });
    return await auditRun({ manager, where, actor, requestId, runId, onUnrecorded }, workflow, work);
  });
  if (finished.status !== "success" && whyNotKept !== null) {
    onNotice?.(`this run cannot be resumed: ${whyNotKept}`);
  }
  return finished;
}

interface AuditedRun extends Pick<EngineRunOptions, "actor" | "requestId" | "onUnrecorded"> {
  readonly manager: SecretsManager;
  readonly where: Where;
  readonly runId: string;
}

/** Where the audit log is on, records the start of a run, every secret that it resolves, and its end. */
async function auditRun(
  { manager, where, actor: given, requestId, runId, onUnrecorded }: AuditedRun,
  { workflow }: ParsedWorkflow,
  run: (where: Where) => Promise<RunFinished>,
): Promise<RunFinished> {
  const { audit } = manager;
  const actor = given ?? manager.actor;
  if (audit === null || actor === null) return await run(where);
  const context = { actor, requestId, execution: runId };
  const event = { ...context, source: workflow.id };
  const recorded = (source: SecretSource) => manager.recordSource(source, context);
  const end = async (outcome: AuditOutcome) =>
    await audit.record({ ...event, action: "run.end", outcome }).catch((error) => onUnrecorded?.(error));
  await audit.record({ ...event, action: "run.start", outcome: "intent" });
  try {
    const { boundOnly } = where.resolution;
    const finished = await run({
      sources: where.sources.map(recorded),
      resolution: { ...where.resolution, ...(boundOnly && { boundOnly: boundOnly.map(recorded) }) },
    });
    await end(finished.status === "success" ? "done" : finished.status);
    return finished;
  } catch (error) {
    await end(error instanceof AutokestraError ? error.code : "failed");
    throw error;
  }
}

import {
  admitRun,
  type Engine,
  type EngineRunOptions,
  loadWorkflow,
  parseWorkflow,
  type RunInput,
} from "@autokestra/engine";
import type { QueuedRun, RunFinished, RunGroup } from "@autokestra/runs";
import type { AuditActor } from "@autokestra/secrets";
import { AutokestraError, hasCode } from "@autokestra/secrets-core";
import { z } from "zod/v4";

/** Who starts a run, for the audit log. */
export interface StartedBy {
  readonly actor: AuditActor;
  readonly requestId?: string | undefined;
}

const actorSchema = z.object({
  kind: z.enum(["user", "token", "jwt", "trigger", "anonymous", "system"]),
  id: z.string().nullable(),
  address: z.string().nullable(),
});
const startedBy = { actor: actorSchema, requestId: z.string().optional() };

/** What is to be done for a run. It is kept until the run begins, so that another process can do it. */
const workSchema = z.discriminatedUnion("kind", [
  z.object({
    ...startedBy,
    kind: z.literal("start"),
    /** The whole workflow, where it did not come from a file. */
    text: z.string().nullable(),
    inputs: z.record(z.string(), z.string()),
  }),
  z.object({ ...startedBy, kind: z.literal("resume") }),
  z.object({ ...startedBy, kind: z.literal("rerun"), of: z.string(), from: z.string().optional() }),
]);

type Work = z.output<typeof workSchema>;

/** A run that is to begin: what is to be done for it, and with what. */
export interface RunJob {
  readonly run: QueuedRun;
  readonly work: Work;
  readonly input: RunInput;
}

type JobEngine = Pick<Engine, "run" | "resume" | "rerun" | "toResume" | "toRerun">;

/** Reads what the run begins with. @throws AutokestraError `RUN_NOT_RESUMABLE`, `TASK_NOT_FOUND` */
export async function prepareJob(engine: JobEngine, run: QueuedRun, work: Work): Promise<RunJob> {
  try {
    return { run, work, input: await inputOf(engine, run, work) };
  } catch (error) {
    // Both name paths and lines of the server.
    throw hasCode(error, "WORKFLOW_NOT_FOUND", "WORKFLOW_INVALID") ? workflowGone() : error;
  }
}

async function inputOf(engine: JobEngine, { id, file }: QueuedRun, work: Work): Promise<RunInput> {
  if (work.kind === "resume") return await engine.toResume(id);
  if (work.kind === "rerun") return await engine.toRerun(work.of, work.from);
  const workflow = file === null ? parseWorkflow(work.text ?? "", "workflow") : await loadWorkflow(file);
  return { workflow, inputs: work.inputs };
}

/** The same for what another process has kept with {@link keptJob}. @param kept null: nothing could be kept */
export async function recoverJob(engine: JobEngine, run: QueuedRun, kept: string | null): Promise<RunJob> {
  if (kept === null) throw nothingKept();
  return await prepareJob(engine, run, workSchema.parse(JSON.parse(kept)));
}

/** What another process needs to do the job. */
export function keptJob({ work }: RunJob): string {
  return JSON.stringify(work);
}

/** Does the job, to the end of the run. */
export async function doJob(
  engine: JobEngine,
  { run: { id }, input, work }: RunJob,
  basics: Pick<EngineRunOptions, "signal" | "sink" | "onUnrecorded" | "fromQueue">,
): Promise<RunFinished["status"]> {
  const { actor, requestId } = work;
  const options = { ...basics, actor, requestId };
  const { status } =
    work.kind === "start"
      ? await engine.run(input.workflow, { ...options, inputs: input.inputs, runId: id })
      : work.kind === "resume"
        ? await engine.resume(id, options)
        : await engine.rerun(work.of, { ...options, from: work.from, runId: id });
  return status;
}

/** @throws AutokestraError what a run cannot begin with: `WORKFLOW_DISABLED`, `INPUT_INVALID` */
export async function groupOf({ input: { workflow, inputs } }: RunJob): Promise<RunGroup | undefined> {
  const { group } = await admitRun(workflow, inputs);
  return group === null ? undefined : { name: group.group, busy: group.busy };
}

/** What a job keeps in memory while it waits. A workflow of the folder is there anyway. */
export function bytesOf({ input: { workflow, inputs }, work }: RunJob): number {
  const isOfFolder = work.kind === "start" && work.text === null;
  return JSON.stringify(inputs).length + (isOfFolder ? 0 : workflow.source.length);
}

function workflowGone(): AutokestraError {
  return new AutokestraError("RUN_NOT_RESUMABLE", "The workflow of the run can no longer be read", { details: {} });
}

function nothingKept(): AutokestraError {
  const why = "its server was lost while it waited, and nothing was kept of it";
  return new AutokestraError("RUN_NOT_RESUMABLE", `The run cannot start: ${why}`, { details: { reason: "not kept" } });
}

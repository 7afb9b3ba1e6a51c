import { type ListedRun, listedAsQueued } from "@autokestra/runs";
import { AutokestraError } from "@autokestra/secrets-core";
import type { z } from "zod/v4";
import type { EarlierRun, ServedRuns } from "./run-service.ts";
import type { runIdSchema } from "./runs-schemas.ts";
import { checkText, fileOfWorkflow, type RunCall } from "./visible-workflows.ts";

const UNFINISHED = { cancelledBy: null, finishedAt: null, durationMs: null } as const;

/** The run that a call names: one that its caller may not see is not found. @throws AutokestraError `RUN_NOT_FOUND` */
export async function findRun({ request, visible, served }: RunCall): Promise<ListedRun> {
  const { id } = request.params as z.output<typeof runIdSchema>;
  const active = await findActive(served, id);
  const [stored = null] = await served.engine.history.list({ id, limit: 1 });
  // A run that goes on again has ended before.
  const run =
    active === null || stored === null || stored.status === "running"
      ? (stored ?? active)
      : { ...stored, ...UNFINISHED, status: active.status };
  if (run === null || !(await visible.covers(run))) throw runNotFound();
  return run;
}

/** The same for a run to run again: one that came as text, or from elsewhere than the folder of the server, only for those who may start it. */
export async function findRunAgain(call: RunCall): Promise<ListedRun & EarlierRun> {
  const { runs, workflows } = call.served;
  const run = await findRun(call);
  const file = await runs.fileOf(run.execution);
  if (fileOfWorkflow(workflows, run.workflow) !== (file ?? "")) checkText(call.principal);
  return { ...run, file };
}

/** Whether a run waits, here or on another server. */
export async function isWaiting(served: ServedRuns, id: string): Promise<boolean> {
  return (await findActive(served, id))?.status === "queued";
}

/** The run, if it goes on here, or waits here or on another server. */
async function findActive({ runs, engine }: ServedRuns, id: string): Promise<ListedRun | null> {
  const active = runs.active(id);
  if (active !== null) return active;
  const queued = await engine.queued.find(id);
  return queued && listedAsQueued(queued);
}

function runNotFound(): AutokestraError {
  return new AutokestraError("RUN_NOT_FOUND", "There is no run with this id");
}

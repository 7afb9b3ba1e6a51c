import { readFileSync } from "node:fs";
import { didYouMean } from "@autokestra/config/yaml";
import type {
  DurableRun,
  DurableRunOptions,
  KeptKeys,
  KeptRun,
  KeptStart,
  RunHistory,
  RunSink,
} from "@autokestra/runs";
import { AutokestraError, hasCode } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";
import { loadWorkflow, type ParsedWorkflow, parseWorkflow } from "../workflow/parse-workflow.ts";
import { allTasks } from "../workflow/workflow.ts";

/** What {@link createKeptRuns} works with. */
interface KeptRunsParts {
  readonly history: RunHistory;
  /** Null if nothing is kept. */
  readonly keys: KeptKeys | null;
  /** How long values are kept, in milliseconds. */
  readonly keepMs: number;
}

/** A run that can be resumed later, if its outputs are kept. */
interface StartedRun {
  readonly durable: DurableRun;
  readonly record: RunSink;
  /** Why nothing is kept of it; null if it is, or is not to be. */
  readonly whyNotKept: string | null;
}

/** Opens what runs have kept, and lets new ones keep it. */
export interface KeptRuns {
  durable(
    runId: string,
    how: Pick<DurableRunOptions, "from" | "force" | "fromQueue">,
    onFailure: (error: AutokestraError) => void,
  ): Promise<StartedRun>;
  /** @throws AutokestraError `RUN_NOT_FOUND`, `RUN_NOT_RESUMABLE` */
  open(runId: string): Promise<KeptRun>;
  /**
   * What a run is run again with.
   *
   * @param first the id of the first task to run; undefined for all
   * @returns `kept` is null for a run that keeps nothing: its file is run again
   */
  again(
    runId: string,
    first: string | undefined,
    onChanged?: (message: string) => void,
  ): Promise<{ readonly kept: KeptRun | null; readonly workflow: ParsedWorkflow }>;
}

export function createKeptRuns({ history, keys, keepMs }: KeptRunsParts): KeptRuns {
  /** A run does not fail because nothing of it can be kept. */
  async function cipherOf(runId: string) {
    try {
      const cipher = (await keys?.forRun(runId)) ?? null;
      const isMissing = cipher === null && keys !== null;
      return { cipher, whyNotKept: isMissing ? "without a store of secrets, nothing of it is kept" : null };
    } catch (error) {
      if (!(error instanceof AutokestraError)) throw error;
      return { cipher: null, whyNotKept: `nothing of it is kept: ${error.message}` };
    }
  }

  return {
    async durable(id, how, onFailure) {
      const { cipher, whyNotKept } = await cipherOf(id);
      const { run, record } = history.durable({ ...how, id, cipher, keepMs, onFailure });
      return { durable: run, record, whyNotKept };
    },
    open: async (runId) => await history.kept(runId, keys),
    async again(runId, first, onChanged) {
      try {
        const kept = await history.kept(runId, keys);
        const workflow = await workflowOf(kept.start, onChanged);
        return { workflow, kept: first === undefined ? withoutResults(kept) : resultsBefore(kept, workflow, first) };
      } catch (error) {
        const isGone = error instanceof AutokestraError && hasCode(error, "RUN_NOT_RESUMABLE");
        const path = isGone && first === undefined ? await history.file(runId) : null;
        if (path === null) throw error;
        return { kept: null, workflow: await loadWorkflow(path) };
      }
    },
  };
}

/**
 * Reads the workflow of a run again.
 *
 * @param onChanged called with a sentence if a file is not what it was
 * @throws as {@link loadWorkflow}
 */
export async function workflowOf(
  { path, texts }: KeptStart,
  onChanged?: (message: string) => void,
): Promise<ParsedWorkflow> {
  if (path === null) {
    const [own = ["", ""]] = Object.entries(texts);
    return parseWorkflow(own[1], own[0]);
  }
  const workflow = await loadWorkflow(path);
  for (const [file, before] of Object.entries(texts)) {
    const now = file === path ? workflow.source : readText(file);
    if (now !== before)
      onChanged?.(`${quoteText(file)} has changed since the run began; it goes on with what it is now`);
  }
  return workflow;
}

/** Whether a called file can be used is found out when the run is prepared. */
function readText(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

function withoutResults(kept: KeptRun): KeptRun {
  return { ...kept, results: new Map(), open: new Set(), gone: new Set(), attempts: new Map() };
}

/** Only what tasks have returned that do not need this one, and not `onFailure` and `finally`. */
function resultsBefore(kept: KeptRun, { workflow }: ParsedWorkflow, first: string): KeptRun {
  const known = workflow.tasks.map(({ id }) => id);
  if (!known.includes(first)) {
    throw new AutokestraError("TASK_NOT_FOUND", `The workflow has no task '${quoteText(first)}' to begin with`, {
      hint: didYouMean(first, known),
    });
  }
  const again = new Set([first]);
  // A task may stand before the tasks that it needs, so this repeats until nothing is added.
  for (let size = 0; size !== again.size; ) {
    size = again.size;
    for (const { id, needs } of workflow.tasks) if (needs.some((need) => again.has(need))) again.add(id);
  }
  const handlers = allTasks(workflow).flatMap(({ task, list }) => (list === "tasks" ? [] : [task.id]));
  const isTaken = (name: string) => {
    const [task = name] = name.split(/[[/]/, 1);
    return !again.has(task) && !handlers.includes(task);
  };
  const results = new Map([...kept.results].filter(([name]) => isTaken(name)));
  return { ...kept, results, open: new Set(), gone: new Set([...kept.gone].filter(isTaken)), attempts: new Map() };
}

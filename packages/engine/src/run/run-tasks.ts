import { type StateChange, type TaskEnd, type TaskNode, TaskStates } from "@autokestra/runs";
import pLimit from "p-limit";
import { referencesOf } from "../workflow/condition.ts";
import type { ParsedTask } from "../workflow/references.ts";
import type { Task } from "../workflow/workflow.ts";
import type { LeftOut } from "./run-log.ts";

/** Runs one task, or leaves it out. What either throws ends the run. */
export interface TaskCallbacks {
  /** Runs a task to its end. */
  run(id: string): Promise<TaskEnd>;
  /** Called for each task that does not start. */
  leaveOut(id: string, end: "skipped" | "cancelled", why: LeftOut): void;
}

/**
 * Runs tasks in the order of their needs, at most `concurrency` at a time, as {@link TaskStates} decides. Nothing
 * starts after the signal, or after a failure that the run does not survive; running tasks finish.
 */
export async function runTasks(
  tasks: readonly TaskNode[],
  concurrency: number,
  signal: AbortSignal,
  callbacks: TaskCallbacks,
): Promise<void> {
  const states = new TaskStates(tasks);
  const needs = new Map(tasks.map((task) => [task.id, task.needs]));
  const limit = pLimit(concurrency);
  let open = 0;

  function whyNot(id: string, end: "skipped" | "cancelled"): LeftOut {
    if (end === "cancelled") return "cancelled";
    const missed = (needs.get(id) ?? []).map((need) => states.state(need));
    return missed.includes("failed") || missed.includes("skipped") ? "need" : "failure";
  }

  function apply(changes: readonly StateChange[], start: (id: string) => void): void {
    for (const { id, state } of changes) {
      if (state === "ready") start(id);
      else callbacks.leaveOut(id, state, whyNot(id, state));
    }
  }

  let onAbort = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const start = (id: string): void => {
        open += 1;
        void runOne(id).catch(reject);
      };
      async function runOne(id: string): Promise<void> {
        await limit(async () => {
          if (states.claim(id)) apply(states.finish(id, await callbacks.run(id)), start);
        });
        open -= 1;
        if (open === 0) resolve();
      }
      onAbort = () => {
        try {
          apply(states.stop("cancelled"), start);
        } catch (error) {
          reject(error);
        }
      };
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      apply(states.begin(), start);
      if (open === 0) resolve();
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** A task for the rules of {@link TaskStates}. */
export function toNode({ id, needs, continueOnError = false }: Task, parsed: ParsedTask | undefined): TaskNode {
  const named = (parsed?.condition ? referencesOf(parsed.condition) : []).flatMap(({ reference }) =>
    reference.root === "tasks" && reference.part === "status" ? [reference.id] : [],
  );
  return { id, needs, continueOnError, statusesInIf: new Set(named) };
}

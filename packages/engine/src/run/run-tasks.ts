import type { TaskResult } from "@autokestra/runs";
import pLimit from "p-limit";
import type { Task } from "../workflow/workflow.ts";

/** How one task is run, or not. Neither rejects: it tells how the task ended. */
export interface TaskRunner<T> {
  run(task: T): Promise<TaskResult>;
  /** The task does not start. */
  leaveOut(task: T, status: "skipped" | "cancelled"): TaskResult;
}

/**
 * Runs each task once all tasks it needs have succeeded, at most `concurrency` at a time; independent ones in parallel. A task
 * whose need has failed or was skipped is skipped; nothing starts after the signal.
 */
export async function runTasks<T extends Pick<Task, "id" | "needs">>(
  tasks: readonly T[],
  concurrency: number,
  signal: AbortSignal,
  runner: TaskRunner<T>,
): Promise<void> {
  const limit = pLimit(concurrency);
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const started = new Map<string, Promise<TaskResult>>();

  /** Memoised, so that the order of the tasks in the file does not matter. */
  async function result(task: T): Promise<TaskResult> {
    const known = started.get(task.id) ?? start(task);
    started.set(task.id, known);
    return await known;
  }

  async function start(task: T): Promise<TaskResult> {
    const needs = task.needs.flatMap((id) => byId.get(id) ?? []);
    const results = await Promise.all(needs.map(result));
    if (results.some(({ status }) => status === "failed" || status === "skipped"))
      return runner.leaveOut(task, "skipped");
    return await limit(async () => (signal.aborted ? runner.leaveOut(task, "cancelled") : await runner.run(task)));
  }

  await Promise.all(tasks.map(result));
}

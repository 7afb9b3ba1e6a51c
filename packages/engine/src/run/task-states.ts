/**
 * The state of a task. `blocked`: it waits for tasks that it needs. `ready`: it may start. The other four are ends.
 */
export type TaskState = "blocked" | "ready" | "running" | TaskEnd;

/** How a task ended. */
export type TaskEnd = "success" | "failed" | "skipped" | "cancelled";

/** Why no task may start any more: a task has failed, or the run was cancelled or is out of time. */
export type Stop = "failed" | "cancelled";

/** What the rules need to know of a task. */
export interface TaskNode {
  readonly id: string;
  readonly needs: readonly string[];
  readonly continueOnError: boolean;
  /** The tasks whose status its `if` names: it decides itself what their being skipped means. */
  readonly statusesInIf: ReadonlySet<string>;
}

/**
 * Decides what becomes of a task that has not started.
 *
 * @param needed the states of the tasks that it needs, with what else counts of them
 * @param stop why nothing may start any more; null if tasks may start
 */
export function nextState(
  task: TaskNode,
  needed: readonly { readonly task: TaskNode; readonly state: TaskState }[],
  stop: Stop | null,
): "blocked" | "ready" | "skipped" | "cancelled" {
  if (stop === "cancelled" || needed.some(({ state }) => state === "cancelled")) return "cancelled";
  const isSkipped = needed.some(
    ({ task: need, state }) =>
      (state === "failed" && !need.continueOnError) || (state === "skipped" && !task.statusesInIf.has(need.id)),
  );
  if (isSkipped || stop === "failed") return "skipped";
  return needed.every(({ state }) => isEnd(state)) ? "ready" : "blocked";
}

function isEnd(state: TaskState): state is TaskEnd {
  return state === "success" || state === "failed" || state === "skipped" || state === "cancelled";
}

/** A task that has got another state without having run. */
export interface StateChange {
  readonly id: string;
  readonly state: "ready" | "skipped" | "cancelled";
}

/**
 * The states of the tasks of a run. It starts nothing and knows no clock: whoever runs the tasks says what has
 * happened, and gets what follows from it.
 */
export class TaskStates {
  readonly #tasks = new Map<string, TaskNode>();
  readonly #dependents = new Map<string, string[]>();
  readonly #states = new Map<string, TaskState>();
  #stop: Stop | null = null;

  constructor(tasks: readonly TaskNode[]) {
    for (const task of tasks) {
      this.#tasks.set(task.id, task);
      this.#states.set(task.id, "blocked");
      for (const need of task.needs) this.#dependents.set(need, [...(this.#dependents.get(need) ?? []), task.id]);
    }
  }

  /** Why nothing may start any more; null if tasks may start. */
  get stopped(): Stop | null {
    return this.#stop;
  }

  state(id: string): TaskState | undefined {
    return this.#states.get(id);
  }

  /** Returns the tasks that may start at once. */
  begin(): StateChange[] {
    return this.#settle([...this.#tasks.keys()]);
  }

  /** Takes a ready task to run it. False if it may not start any more. */
  claim(id: string): boolean {
    if (this.#states.get(id) !== "ready" || this.#stop !== null) return false;
    this.#states.set(id, "running");
    return true;
  }

  /** Ends a running task. Returns what becomes of others. */
  finish(id: string, end: TaskEnd): StateChange[] {
    this.#states.set(id, end);
    if (end === "failed" && this.#tasks.get(id)?.continueOnError !== true) return this.stop("failed");
    if (end === "cancelled") return this.stop("cancelled");
    return this.#settle(this.#dependents.get(id) ?? []);
  }

  /** Lets nothing start any more. Returns the tasks that will not run. */
  stop(reason: Stop): StateChange[] {
    if (this.#stop !== "cancelled") this.#stop = reason;
    return this.#settle([...this.#tasks.keys()]);
  }

  /** Decides about these tasks, and about those that need the ones that will not run. */
  #settle(ids: readonly string[]): StateChange[] {
    const changes: StateChange[] = [];
    const open = [...ids];
    // Grows while it is gone through.
    for (const id of open) {
      const task = this.#tasks.get(id);
      const before = this.#states.get(id);
      if (task === undefined || (before !== "blocked" && before !== "ready")) continue;
      const state = nextState(task, this.#needed(task), this.#stop);
      if (state === before || state === "blocked") continue;
      this.#states.set(id, state);
      changes.push({ id, state });
      if (state !== "ready") open.push(...(this.#dependents.get(id) ?? []));
    }
    return changes;
  }

  #needed({ needs }: TaskNode): { task: TaskNode; state: TaskState }[] {
    return needs.flatMap((id) => {
      const task = this.#tasks.get(id);
      return task === undefined ? [] : [{ task, state: this.#states.get(id) ?? "blocked" }];
    });
  }
}

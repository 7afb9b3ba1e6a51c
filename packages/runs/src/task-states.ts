/**
 * The state of a task. `blocked`: it waits for tasks that it needs. `ready`: it may start. `waiting`: it has failed, and
 * is tried again later. The last four are ends.
 */
export type TaskState = "blocked" | "ready" | "running" | "waiting" | TaskEnd;

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

/** What counts of a task that another one needs. */
export interface NeededTask extends Pick<TaskNode, "id" | "continueOnError"> {
  readonly state: TaskState;
}

/**
 * Decides what becomes of a task that has not started.
 *
 * @param needed the states of the tasks that it needs, with what else counts of them
 * @param stop why nothing may start any more; null if tasks may start
 */
export function nextState(
  task: TaskNode,
  needed: readonly NeededTask[],
  stop: Stop | null,
): "blocked" | "ready" | "skipped" | "cancelled" {
  if (stop === "cancelled" || needed.some(({ state }) => state === "cancelled")) return "cancelled";
  const isSkipped = needed.some(
    ({ id, state, continueOnError }) =>
      (state === "failed" && !continueOnError) || (state === "skipped" && !task.statusesInIf.has(id)),
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

/** Where the states of the tasks of one run are: in memory, or in the rows of a ledger. */
export interface TaskTable {
  task(id: string): TaskNode | undefined;
  state(id: string): TaskState | undefined;
  set(id: string, state: TaskState): void;
  /** The tasks that need this one. */
  dependents(id: string): readonly string[];
}

/**
 * Decides about these tasks, and about those that need the ones that will not run.
 *
 * @param stop why nothing may start any more; null if tasks may start
 * @param ended the task that all of them need and that has ended. Default: any of their needs may have
 */
export function settle(table: TaskTable, ids: Iterable<string>, stop: Stop | null, ended?: string): StateChange[] {
  const changes: StateChange[] = [];
  const open = Array.from(ids, (id) => ({ id, because: ended }));
  // Grows while it is gone through.
  for (const { id, because } of open) {
    const task = table.task(id);
    const before = table.state(id);
    // A task that waits for its next attempt counts as running, unless the run is cancelled.
    const isOpen = before === "blocked" || before === "ready" || (before === "waiting" && stop === "cancelled");
    if (task === undefined || !isOpen) continue;
    if (because !== undefined && stop === null && stillWaits(table, task, because)) continue;
    const state = nextState(task, neededBy(table, task.needs), stop);
    if (state === before || state === "blocked") continue;
    table.set(id, state);
    changes.push({ id, state });
    if (state !== "ready") for (const dependent of table.dependents(id)) open.push({ id: dependent, because: id });
  }
  return changes;
}

/**
 * Whether a task waits for others after the end of one need. Without it, a task that needs a thousand would be decided a
 * thousand times, each time from the states of all of them. From both ends, because tasks mostly end in the order of
 * the file.
 */
function stillWaits(table: TaskTable, task: TaskNode, ended: string): boolean {
  const { needs } = task;
  for (let first = 0, last = needs.length - 1; first <= last; first++, last--) {
    if (!isOpenNeed(table, needs[last]) && !isOpenNeed(table, needs[first])) continue;
    return nextState(task, neededBy(table, [ended]), null) === "ready";
  }
  return false;
}

function isOpenNeed(table: TaskTable, id: string | undefined): boolean {
  const state = id === undefined ? undefined : table.state(id);
  return state !== undefined && !isEnd(state);
}

function neededBy(table: TaskTable, needs: readonly string[]): NeededTask[] {
  return needs.flatMap((id) => {
    const state = table.state(id);
    if (state === undefined) return [];
    return { id, state, continueOnError: state === "failed" && table.task(id)?.continueOnError === true };
  });
}

/** What a run does after a task has ended like this; null if the others continue. */
export function stopAfter(task: Pick<TaskNode, "continueOnError"> | undefined, end: TaskEnd): Stop | null {
  if (end === "failed" && task?.continueOnError !== true) return "failed";
  return end === "cancelled" ? "cancelled" : null;
}

/**
 * The states of the tasks of a run in memory. It starts nothing and knows no clock: whoever runs the tasks says what has
 * happened, and gets what follows from it.
 */
export class TaskStates {
  readonly #tasks = new Map<string, TaskNode>();
  readonly #dependents = new Map<string, string[]>();
  readonly #states = new Map<string, TaskState>();
  readonly #table: TaskTable;
  #stop: Stop | null = null;

  constructor(tasks: readonly TaskNode[]) {
    for (const task of tasks) {
      this.#tasks.set(task.id, task);
      this.#states.set(task.id, "blocked");
      for (const need of task.needs) {
        const dependents = this.#dependents.get(need);
        if (dependents === undefined) this.#dependents.set(need, [task.id]);
        else dependents.push(task.id);
      }
    }
    this.#table = {
      task: (id) => this.#tasks.get(id),
      state: (id) => this.#states.get(id),
      set: (id, state) => void this.#states.set(id, state),
      dependents: (id) => this.#dependents.get(id) ?? [],
    };
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
    return settle(this.#table, this.#tasks.keys(), this.#stop);
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
    const stop = stopAfter(this.#tasks.get(id), end);
    return stop === null ? settle(this.#table, this.#table.dependents(id), this.#stop, id) : this.stop(stop);
  }

  /** Lets nothing start any more. Returns the tasks that will not run. */
  stop(reason: Stop): StateChange[] {
    if (this.#stop !== "cancelled") this.#stop = reason;
    return settle(this.#table, this.#tasks.keys(), this.#stop);
  }
}

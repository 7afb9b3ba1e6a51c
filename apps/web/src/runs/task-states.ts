import type { ApiRunEvent } from "@autokestra/server/answers";
import type { TaskStatus } from "./states.tsx";

/** What the events of a run tell about one task, or one item of a `forEach`. */
export interface TaskState {
  readonly status: TaskStatus;
  /** ISO 8601; null for a task that did not start. */
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** How often it was tried. */
  readonly attempts: number;
  /** How it ended, in the words of the log; null before. */
  readonly message: string | null;
  /** Undefined if there is none, or not yet: it is in the last event of a run. */
  readonly output: unknown;
}

/** By their names: `deploy[0]` for an item, `child/deploy` in a called workflow. */
export type TaskStates = ReadonlyMap<string, TaskState>;

const NEW: TaskState = {
  status: "running",
  startedAt: null,
  endedAt: null,
  attempts: 1,
  message: null,
  output: undefined,
};

/** The states after these events. */
export function addEvents(before: TaskStates, events: readonly ApiRunEvent[]): TaskStates {
  const states = new Map(before);
  for (const event of events) addEvent(states, event);
  return states;
}

function addEvent(states: Map<string, TaskState>, event: ApiRunEvent): void {
  if (event.event === "run.started") {
    // It was resumed: tasks that were running start again.
    for (const [name, { status }] of states) if (status === "running") states.delete(name);
    return;
  }
  if (event.event === "run.finished") {
    for (const [name, { status, output, error }] of Object.entries(event.tasks)) {
      const state = states.get(name) ?? NEW;
      states.set(name, { ...state, status, output, message: error?.message ?? state.message });
    }
    return;
  }
  const { task, time, message } = event;
  if (task === undefined) return;
  const state = states.get(task) ?? NEW;
  if (event.event === "task.started") states.set(task, { ...NEW, startedAt: time });
  if (event.event === "task.retried") states.set(task, { ...state, attempts: state.attempts + 1 });
  if (event.event === "task.finished") {
    // The event of a task that had ended before the run was resumed is repeated; it has not run again.
    const endedAt = state.endedAt ?? time;
    states.set(task, { ...state, status: event.status ?? "success", endedAt, message });
  }
}

/** A task of a graph, which is one thing there however many items it has. */
export interface GraphTaskState extends TaskState {
  /** Null for a task that is no `forEach`. */
  readonly items: { readonly ended: number; readonly failed: number; readonly all: number } | null;
}

/** Which of several states says most about all of them. */
const WEIGHT: readonly TaskStatus[] = ["idle", "waiting", "skipped", "success", "cancelled", "failed", "running"];

/** The states by the names that the tasks have in a graph: without the items. */
export function statesOfGraph(states: TaskStates): ReadonlyMap<string, GraphTaskState> {
  const byName = new Map<string, GraphTaskState>();
  for (const [name, state] of states) {
    const plain = withoutItem(name);
    const known = byName.get(plain);
    const isItem = name.endsWith("]");
    const counted = isItem ? addItem(known?.items ?? { ended: 0, failed: 0, all: 0 }, state) : (known?.items ?? null);
    const isWhole = states.has(plain);
    const shown = isWhole ? (states.get(plain) ?? state) : heavier(known, state);
    byName.set(plain, { ...shown, items: counted });
  }
  return byName;
}

export function withoutItem(name: string): string {
  return name.replaceAll(/\[\d+\]/g, "");
}

function heavier(known: TaskState | undefined, state: TaskState): TaskState {
  return known !== undefined && WEIGHT.indexOf(known.status) > WEIGHT.indexOf(state.status) ? known : state;
}

function addItem(
  { ended, failed, all }: NonNullable<GraphTaskState["items"]>,
  { status }: TaskState,
): NonNullable<GraphTaskState["items"]> {
  return {
    ended: ended + Number(status !== "running"),
    failed: failed + Number(status === "failed"),
    all: all + 1,
  };
}

/** In milliseconds; null for a task that has not started. */
export function durationOf({ startedAt, endedAt }: TaskState, now: number): number | null {
  if (startedAt === null) return null;
  return Math.max(0, (endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt));
}

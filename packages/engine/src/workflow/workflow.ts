/** A workflow as its file declares it, with defaults filled in. */
export interface Workflow {
  readonly apiVersion: "v1";
  readonly id: string;
  /** Whether the workflow may run. Default: true. */
  readonly enabled: boolean;
  /** The names of the only secrets it may use. Default: none. */
  readonly secrets: readonly string[];
  /** The inputs that a run takes, by name. Default: none. */
  readonly inputs: Readonly<Record<string, InputDeclaration>>;
  readonly trigger?: Trigger;
  /** Which runs must not overlap. It is checked and kept; a scheduler acts on it. */
  readonly concurrency?: ConcurrencyGroup;
  /** The limit for the whole run, in seconds, at most 86 400. Default: no limit. */
  readonly timeoutSeconds?: number;
  /** What the run gives back, with references to its tasks. Default: nothing. */
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly tasks: readonly Task[];
  /** Tasks that run one after the other if the run fails. Default: none. */
  readonly onFailure?: readonly Task[];
  /** Tasks that run one after the other at the end of every run, at most 300 seconds in all. Default: none. */
  readonly finally?: readonly Task[];
}

/** The type of an input: how its text is read. */
export type InputType = "string" | "number" | "boolean" | "json";

/** An input of a workflow. Without a default it is required. */
export interface InputDeclaration {
  readonly type: InputType;
  readonly default?: unknown;
  /** Whether its value is masked like a secret; it then has no default. Default: false. */
  readonly secret?: boolean;
  /** What the input is for. Default: nothing is said. */
  readonly description?: string;
  /** The only values that are allowed. Default: all. */
  readonly enum?: readonly unknown[];
  /** A regular expression that a text must match somewhere. Default: none. */
  readonly pattern?: string;
  /** The least number, or the least number of characters of a text. Default: none. */
  readonly min?: number;
  /** The greatest number, or the greatest number of characters of a text. Default: none. */
  readonly max?: number;
}

/** When the workflow should run. It is checked and kept; a scheduler acts on it. */
export type Trigger = CronTrigger | WebhookTrigger;

/** Runs with the same group do not overlap. */
export interface ConcurrencyGroup {
  /** The name of the group, with references to inputs. */
  readonly group: string;
  /** What a new run does while another one of its group is running: it waits, is refused, or cancels the other one. */
  readonly busy: "queue" | "skip" | "cancel";
}

/** Runs the workflow when a request arrives. It gets the inputs `body` and `headers`, as if they were declared. */
export interface WebhookTrigger {
  readonly type: "webhook";
  /** The declared secret that the request is checked with. */
  readonly secret: string;
  /** How the request proves that its sender has the secret. */
  readonly signature: "hmac-sha256" | "bearer";
}

/** Runs the workflow at certain times. */
export interface CronTrigger {
  readonly type: "cron";
  /** A cron expression of five fields, or a nickname such as `@daily`. */
  readonly cron: string;
  /** The name of a time zone, such as `Europe/Berlin`. Default: the time zone of the machine. */
  readonly timeZone?: string;
  /** What to do about runs that were due while no scheduler was running. Default: `skip`. */
  readonly missed?: "skip" | "once";
  /** What to do while the previous run is still running. Default: `skip`. */
  readonly overlap?: "skip" | "allow";
}

/** One task of a workflow. */
export interface Task {
  readonly id: string;
  /** The action to call: `namespace/plugin.action`, such as `core/http.request`. */
  readonly type: string;
  /** The ids of tasks that must succeed before. Default: none. */
  readonly needs: readonly string[];
  /** The condition under which it runs, such as `inputs.environment == "production"`. Default: always. */
  readonly if?: string;
  /** Runs it once for each item of a list, or of a reference to one; at most 10 000. Default: once. */
  readonly forEach?: string | readonly unknown[];
  /** The maximum number of items at a time. Default: 1. */
  readonly concurrency?: number;
  /** Whether the run continues if the task fails. Default: false. */
  readonly continueOnError?: boolean;
  /** The only secrets of the workflow that it may use. Default: all of them. */
  readonly secrets?: readonly string[];
  /** What the action gets, with references that are resolved right before each attempt. Default: none. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** When to try again. `never` also forbids a new attempt after its worker was lost. Default: after no failure. */
  readonly retry?: Retry | "never";
  /** Paths of secret values in its output, such as `body.access_token` or `body.items.*.token`. Default: none. */
  readonly secretOutputs?: readonly string[];
  /** The limit for one attempt, in seconds, at most 86 400. Default: 300. */
  readonly timeoutSeconds?: number;
}

/** When a failed task is tried again. */
export interface Retry {
  /** The maximum number of attempts after the first, at most 100. */
  readonly max: number;
  /** The pause before the second attempt, in seconds. It doubles each time, with jitter, up to a minute. Default: 1. */
  readonly backoffSeconds: number;
  /**
   * What is retried. Default: everything except HTTP statuses that another attempt cannot change. Invalid inputs are
   * never retried.
   */
  readonly on?: readonly RetryReason[];
}

/** An HTTP status, a timeout of the attempt, a missing or broken connection, or any other error. */
export type RetryReason = number | "timeout" | "network" | "error";

/** Stands for every key of an object and every item of a list in a path. */
export const EVERY = "*";

/** The type of the task that runs another workflow. It is part of the engine and of no plugin. */
export const WORKFLOW_CALL = "core/workflow.call";

/** The greatest number of items of a `forEach`. */
export const MAX_ITEMS = 10_000;

/** Where a task stands in a file. */
type TaskList = "tasks" | "onFailure" | "finally";

/** A task, and its place in the file. */
export interface PlacedTask {
  readonly task: Task;
  readonly list: TaskList;
  readonly index: number;
}

/** All tasks of a workflow, those of `onFailure` and `finally` last. */
export function allTasks({ tasks, onFailure = [], finally: last = [] }: Workflow): PlacedTask[] {
  const place = (list: TaskList) => (task: Task, index: number) => ({ task, list, index });
  return [...tasks.map(place("tasks")), ...onFailure.map(place("onFailure")), ...last.map(place("finally"))];
}

/** The task whose place in a file begins this path; undefined if there is none. */
export function taskAt(workflow: Workflow, [list, index]: readonly (string | number)[]): Task | undefined {
  if (list !== "tasks" && list !== "onFailure" && list !== "finally") return undefined;
  return workflow[list]?.[Number(index)];
}

/** The inputs of a workflow, with those that its trigger gives. */
export function inputsOf({ inputs, trigger }: Workflow): Readonly<Record<string, InputDeclaration>> {
  if (trigger?.type !== "webhook") return inputs;
  return { body: { type: "json", default: null }, headers: { type: "json", default: {} }, ...inputs };
}

import { isIdentifier } from "@autokestra/secrets-core/internal";
import { Cron } from "croner";
import { z } from "zod";

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
  /** The limit for the whole run, in seconds, at most 86 400. Default: no limit. */
  readonly timeoutSeconds?: number;
  readonly tasks: readonly Task[];
}

/** The type of an input: how its text is read. */
export type InputType = "string" | "number" | "boolean" | "json";

/** An input of a workflow. Without a default it is required. */
export interface InputDeclaration {
  readonly type: InputType;
  readonly default?: unknown;
  /** Whether its value is masked like a secret; it then has no default. Default: false. */
  readonly secret?: boolean;
}

/** When the workflow should run. It is checked and kept, but nothing acts on it yet. */
export interface Trigger {
  readonly type: "cron";
  /** A cron expression of five fields, or a nickname such as `@daily`. */
  readonly cron: string;
  /** The name of a time zone, such as `Europe/Berlin`. Default: the time zone of the machine. */
  readonly timeZone?: string;
  /** What to do about runs that were due while no scheduler was running. Default: `skip`. */
  readonly missed?: "skip" | "once";
  /** What to do while the previous run is still going on. Default: `skip`. */
  readonly overlap?: "skip" | "allow";
}

/** One task of a workflow. */
export interface Task {
  readonly id: string;
  /** The action to call: `namespace/plugin.action`, such as `core/http.request`. */
  readonly type: string;
  /** The ids of tasks that must succeed before. Default: none. */
  readonly needs: readonly string[];
  /** What the action gets, with references that are resolved right before each attempt. Default: none. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** When to try again. Default: never. */
  readonly retry?: Retry;
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

const timeZoneError = {
  error: "must be the name of a time zone, such as Europe/Berlin",
  params: {
    // A getter, because listing the time zones takes longer than reading a workflow.
    get known() {
      return Intl.supportedValuesOf("timeZone");
    },
  },
};

const identifier = z.string().refine(isIdentifier, "must consist of letters, digits, underscores and hyphens");
const seconds = z.number().positive().max(86_400);

const retryReason = z.union([z.int().min(300).max(599), z.enum(["timeout", "network", "error"])], {
  error: "must be a status from 300 to 599, timeout, network or error",
});

const schemas = {
  input: z
    .strictObject({
      type: z.enum(["string", "number", "boolean", "json"]),
      default: z.unknown().exactOptional(),
      secret: z.boolean().exactOptional(),
    })
    .refine((input) => !(input.secret === true && "default" in input), {
      error: "is secret and has a default: a secret does not belong in a workflow file",
    }),
  trigger: z.strictObject({
    type: z.literal("cron"),
    cron: z.string().refine(isCron, 'must be a cron expression of five fields, such as "0 6 * * MON-FRI"'),
    timeZone: z.string().refine(isTimeZone, timeZoneError).exactOptional(),
    missed: z.enum(["skip", "once"]).exactOptional(),
    overlap: z.enum(["skip", "allow"]).exactOptional(),
  }),
  retry: z.strictObject({
    max: z.int().min(0).max(100),
    backoffSeconds: z.number().min(0).max(3600).default(1),
    on: z.array(retryReason).min(1).exactOptional(),
  }),
};

const outputPath = z
  .string()
  .refine(isOutputPath, "must be a path into the output, such as body.access_token or body.items.*.token");

const task = z.strictObject({
  id: identifier,
  type: z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]+\.[a-z0-9-]+$/, "must be namespace/plugin.action"),
  needs: z.array(identifier).default([]),
  inputs: z.record(z.string(), z.unknown()).default({}),
  secretOutputs: z.array(outputPath).exactOptional(),
  retry: schemas.retry.exactOptional(),
  timeoutSeconds: seconds.exactOptional(),
});

const workflow = z.strictObject({
  apiVersion: z.literal("v1"),
  id: identifier,
  enabled: z.boolean().default(true),
  // The names are checked later, with the error that invalid names have everywhere.
  secrets: z.array(z.string()).default([]),
  inputs: z.record(identifier, schemas.input).default({}),
  trigger: schemas.trigger.exactOptional(),
  timeoutSeconds: seconds.exactOptional(),
  tasks: z.array(task).min(1, "needs at least one task"),
});

export const workflowSchema: z.ZodType<Workflow> = workflow;

/** Tells whether a schema within {@link workflowSchema} is that of a task. */
export function isTaskSchema(schema: unknown): boolean {
  return schema === task;
}

function isCron(text: string): boolean {
  try {
    new Cron(text, { mode: "5-part", paused: true }).stop();
    return true;
  } catch {
    return false;
  }
}

function isTimeZone(text: string): boolean {
  try {
    // Intl also accepts offsets such as +02:00, which have no daylight saving time.
    return (
      new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone !== "" && /^[A-Za-z]/.test(text)
    );
  } catch {
    return false;
  }
}

/** The keys that the object at this path may have; empty if any key is allowed. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  const [first, second, third] = path;
  if (first === undefined) return Object.keys(workflow.shape);
  if (first === "trigger") return Object.keys(schemas.trigger.shape);
  if (first === "inputs" && second !== undefined) return Object.keys(schemas.input.shape);
  if (first === "tasks" && third === "retry") return Object.keys(schemas.retry.shape);
  if (first === "tasks" && third === undefined) return Object.keys(task.shape);
  return [];
}

/** Stands for every key of an object and every item of a list in a path. */
export const EVERY = "*";

/** True for keys, list positions and `*`, separated by dots: `body.items.*.token`. */
function isOutputPath(path: string): boolean {
  return path.split(".").every((segment) => segment === EVERY || isIdentifier(segment));
}

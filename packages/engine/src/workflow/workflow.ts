import { isIdentifier } from "@autokestra/secrets-core";
import { Cron } from "croner";
import { z } from "zod";

/** A workflow, as its file says it. */
export interface Workflow {
  readonly apiVersion: "v1";
  readonly id: string;
  /** A workflow that is not enabled does not run. Default true. */
  readonly enabled: boolean;
  /** The only secrets it may use. Default none. */
  readonly secrets: readonly string[];
  readonly inputs: Readonly<Record<string, InputDeclaration>>;
  readonly trigger?: Trigger;
  /** For the whole run. Default: no limit. */
  readonly timeoutSeconds?: number;
  readonly tasks: readonly Task[];
}

export type InputType = "string" | "number" | "boolean" | "json";

/** An input of the workflow, given by `--input`. Without a default it is required. */
export interface InputDeclaration {
  readonly type: InputType;
  readonly default?: unknown;
  /** Its value is masked like that of a secret. It has no default. Default false. */
  readonly secret?: boolean;
}

/** Kept, and not acted on yet. */
export interface Trigger {
  readonly type: "cron";
  /** Five fields, or a nickname such as `@daily`. */
  readonly cron: string;
  /** Such as `Europe/Berlin`. Default: the time zone of the machine. */
  readonly timeZone?: string;
  /** What to do about runs that were due while nobody was there. Default: `skip`. */
  readonly missed?: "skip" | "once";
  /** What to do while the run before goes on. Default: `skip`. */
  readonly overlap?: "skip" | "allow";
}

/** One step. */
export interface Task {
  readonly id: string;
  /** `namespace/plugin.action`, such as `core/http.request`. */
  readonly type: string;
  /** Tasks that must have succeeded before. Default none. */
  readonly needs: readonly string[];
  /** What the action gets, after references are resolved. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Default: no second try. */
  readonly retry?: Retry;
  /** What in its output is secret: paths such as `body.access_token` or `body.items.*.token`. Default none. */
  readonly secretOutputs?: readonly string[];
  /** For one attempt. Default: 300. */
  readonly timeoutSeconds?: number;
}

export interface Retry {
  /** How many more attempts after the first. */
  readonly max: number;
  /** The pause before the second attempt; it doubles from there, with jitter, up to a minute. Default 1. */
  readonly backoffSeconds: number;
  /** What is tried again. Default: all but statuses that another attempt does not change. Never inputs that do not fit. */
  readonly on?: readonly RetryReason[];
}

/** An HTTP status, the end of the time for one attempt, no connection or a broken one, or any other error. */
export type RetryReason = number | "timeout" | "network" | "error";

const timeZoneError = {
  error: "must be the name of a time zone, such as Europe/Berlin",
  params: {
    // Only where one is not known: to list them takes longer than to read a workflow.
    get known() {
      return Intl.supportedValuesOf("timeZone");
    },
  },
};

const identifier = z.string().refine(isIdentifier, "use letters, digits, underscore and hyphen");
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
      error: "is secret and has a default: a secret does not belong into a workflow file",
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
  // That each is a name is checked later, with the message that names deserve.
  secrets: z.array(z.string()).default([]),
  inputs: z.record(identifier, schemas.input).default({}),
  trigger: schemas.trigger.exactOptional(),
  timeoutSeconds: seconds.exactOptional(),
  tasks: z.array(task).min(1, "needs at least one task"),
});

export const workflowSchema: z.ZodType<Workflow> = workflow;

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
    // An offset such as +02:00 is a time zone to Intl, and knows no summer time.
    return (
      new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone !== "" && /^[A-Za-z]/.test(text)
    );
  } catch {
    return false;
  }
}

/** The keys that may stand in the object at this path, or none where any may. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  const [first, second, third] = path;
  if (first === undefined) return Object.keys(workflow.shape);
  if (first === "trigger") return Object.keys(schemas.trigger.shape);
  if (first === "inputs" && second !== undefined) return Object.keys(schemas.input.shape);
  if (first === "tasks" && third === "retry") return Object.keys(schemas.retry.shape);
  if (first === "tasks" && third === undefined) return Object.keys(task.shape);
  return [];
}

/** Stands for every key of an object and every item of a list. */
export const EVERY = "*";

/** True for keys, positions in lists and `*`, with dots between them: `body.items.*.token`. */
function isOutputPath(path: string): boolean {
  return path.split(".").every((segment) => segment === EVERY || isIdentifier(segment));
}

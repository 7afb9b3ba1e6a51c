import { isIdentifier } from "@autokestra/secrets-core/internal";
import { Cron } from "croner";
import { z } from "zod";
import { EVERY, MAX_ITEMS, type Workflow } from "./workflow.ts";

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
      description: z.string().exactOptional(),
      enum: z.array(z.unknown()).min(1, "needs at least one value").exactOptional(),
      pattern: z.string().refine(isPattern, "must be a regular expression").exactOptional(),
      min: z.number().exactOptional(),
      max: z.number().exactOptional(),
    })
    .refine((input) => !(input.secret === true && "default" in input), {
      error: "is secret and has a default: a secret does not belong in a workflow file",
    }),
  cron: z.strictObject({
    type: z.literal("cron"),
    cron: z
      .string()
      .refine(isCron, { error: 'must be a cron expression of five fields, such as "0 6 * * MON-FRI"', abort: true })
      .refine(comes, "names a day that none of its months has"),
    timeZone: z.string().refine(isTimeZone, timeZoneError).exactOptional(),
    missed: z.enum(["skip", "once"]).exactOptional(),
    overlap: z.enum(["skip", "allow"]).exactOptional(),
  }),
  webhook: z.strictObject({
    type: z.literal("webhook"),
    secret: z.string(),
    signature: z.enum(["hmac-sha256", "bearer"]),
  }),
  concurrency: z.strictObject({ group: z.string().min(1), busy: z.enum(["queue", "skip", "cancel"]) }),
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
  if: z.string().exactOptional(),
  forEach: z
    .union([z.string(), z.array(z.unknown()).max(MAX_ITEMS)], { error: "must be a list, or a reference to one" })
    .exactOptional(),
  concurrency: z.int().min(1).max(1000).exactOptional(),
  inputs: z.record(z.string(), z.unknown()).default({}),
  // The names are checked later, with the error that invalid names have everywhere.
  secrets: z.array(z.string()).exactOptional(),
  secretOutputs: z.array(outputPath).exactOptional(),
  retry: z.union([z.literal("never"), schemas.retry], { error: "must be a map, or never" }).exactOptional(),
  timeoutSeconds: seconds.exactOptional(),
  continueOnError: z.boolean().exactOptional(),
});

/** A task of `onFailure` and `finally`, which run one after the other. */
const handler = task.omit({ needs: true, continueOnError: true });

const handlers = z.array(handler.transform((given) => ({ ...given, needs: [] })));

const workflow = z.strictObject({
  apiVersion: z.literal("v1"),
  id: identifier,
  enabled: z.boolean().default(true),
  // The names are checked later, with the error that invalid names have everywhere.
  secrets: z.array(z.string()).default([]),
  inputs: z.record(identifier, schemas.input).default({}),
  trigger: z.discriminatedUnion("type", [schemas.cron, schemas.webhook]).exactOptional(),
  concurrency: schemas.concurrency.exactOptional(),
  timeoutSeconds: seconds.exactOptional(),
  outputs: z.record(identifier, z.unknown()).exactOptional(),
  tasks: z.array(task).min(1, "needs at least one task"),
  onFailure: handlers.exactOptional(),
  finally: handlers.exactOptional(),
});

export const workflowSchema: z.ZodType<Workflow> = workflow;

/** Tells whether a schema within {@link workflowSchema} is that of a task. */
export function isTaskSchema(schema: unknown): boolean {
  return schema === task || schema === handler;
}

function isCron(text: string): boolean {
  try {
    new Cron(text, { mode: "5-part", paused: true }).stop();
    return true;
  } catch {
    return false;
  }
}

/** Where no month has the day, croner finds no time, or exceeds the stack. */
function comes(cron: string): boolean {
  try {
    return new Cron(cron, { mode: "5-part", paused: true }).nextRun() !== null;
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
  if (first === "trigger") return Object.keys({ ...schemas.cron.shape, ...schemas.webhook.shape });
  if (first === "concurrency") return Object.keys(schemas.concurrency.shape);
  if (first === "inputs" && second !== undefined) return Object.keys(schemas.input.shape);
  if (first !== "tasks" && first !== "onFailure" && first !== "finally") return [];
  if (third === "retry") return Object.keys(schemas.retry.shape);
  return third === undefined ? Object.keys(first === "tasks" ? task.shape : handler.shape) : [];
}

/** True for keys, list positions and `*`, separated by dots: `body.items.*.token`. */
function isOutputPath(path: string): boolean {
  return path.split(".").every((segment) => segment === EVERY || isIdentifier(segment));
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, "u") instanceof RegExp;
  } catch {
    return false;
  }
}

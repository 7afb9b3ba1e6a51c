import { z } from "zod/v4";

const EXAMPLE_RUN = "6a1f0c1e-7f0b-4a53-9a3e-0d1f5b6c7d8e";
const time = z.iso.datetime();
const workflowId = z.string().max(1000).meta({ example: "deploy" });

const RUN_STATES = ["queued", "running", "success", "failed", "cancelled", "lost", "unknown"] as const;

export const runSchema = z
  .object({
    execution: z.uuid().describe("The id of the run").meta({ example: EXAMPLE_RUN }),
    workflow: z.string(),
    status: z.enum(RUN_STATES),
    cancelledBy: z.enum(["user", "timeout", "shutdown", "superseded"]).nullable(),
    startedAt: time.nullable().describe("Null for a run that waits"),
    finishedAt: time.nullable(),
    durationMs: z.number().nullable(),
    masked: z
      .record(z.string(), z.object({ count: z.int(), variants: z.array(z.string()) }))
      .describe("What was masked, by the name of the secret"),
  })
  .describe("A run, without its events");

export const runListSchema = z.array(runSchema);

export const startedSchema = z.object({
  execution: z.uuid().meta({ example: EXAMPLE_RUN }),
  workflow: z.string(),
});

export const startSchema = z.strictObject({
  workflow: z
    .string()
    .min(1)
    .describe("The id of a workflow of the server; or, with the permission runs:text, a workflow as YAML or JSON")
    .meta({ example: "deploy" }),
  inputs: z.record(z.string(), z.unknown()).default({}).describe("Values of its inputs, by name"),
});

export const startHeadersSchema = z.object({
  "idempotency-key": z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe("A second request with the same key gets the run of the first one"),
});

export const runsQuerySchema = z.strictObject({
  workflow: workflowId.optional().describe("Only runs of this workflow"),
  status: z
    .enum(["running", "success", "failed", "cancelled", "lost", "unknown", "unfinished"])
    .optional()
    .describe("Only runs in this state; unfinished: running, lost and unknown"),
  after: z.uuid().optional().describe("The last run of the page before: only runs that started before it"),
  limit: z.coerce.number().int().min(1).max(1000).default(50).describe("The maximum number of runs, the newest first"),
});

export const runIdSchema = z.strictObject({
  id: z.uuid().describe("The id of the run").meta({ example: EXAMPLE_RUN }),
});
export const workflowIdSchema = z.strictObject({ id: workflowId });

export const rerunSchema = z
  .strictObject({ from: z.string().max(1000).optional().describe("The first task to run. Default: all tasks run") })
  .nullish();

/** An event has the keys of its kind: docs/runs.md. */
export const eventsSchema = z.array(
  z.looseObject({ event: z.string(), time, level: z.enum(["debug", "info", "warn", "error"]), execution: z.uuid() }),
);

export const checkSchema = z.strictObject({
  workflow: z
    .string()
    .describe("A workflow as YAML or JSON")
    .meta({ example: "apiVersion: v1\nid: demo\ntasks: []\n" }),
});

export const reportSchema = z.object({
  problems: z.array(
    z.object({
      severity: z.enum(["error", "warning", "note"]),
      code: z.string(),
      message: z.string(),
      hint: z.string().optional(),
      line: z.int().optional(),
      column: z.int().optional(),
    }),
  ),
});

const inputSchema = z.object({
  type: z.enum(["string", "number", "boolean", "json"]),
  description: z.string().optional(),
  required: z.boolean(),
  secret: z.boolean(),
  default: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
});

export const workflowListSchema = z.array(
  z.object({
    id: z.string().nullable().describe("Null for a file that could never be read"),
    file: z.string(),
    enabled: z.boolean(),
    secrets: z.array(z.string()),
    inputs: z.record(z.string(), inputSchema),
    trigger: z.looseObject({ type: z.enum(["cron", "webhook"]) }).nullable(),
    nextTime: time.nullable().describe("When its schedule starts it next"),
    problem: z.string().nullable().describe("What is wrong with the file as it is now; the version before is in use"),
  }),
);

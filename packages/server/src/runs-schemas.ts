import { z } from "zod/v4";
import { count } from "./schemas.ts";

const EXAMPLE_RUN = "6a1f0c1e-7f0b-4a53-9a3e-0d1f5b6c7d8e";
const time = z.iso.datetime();
const workflowId = z.string().max(1000).meta({ example: "deploy" });

const maskCountSchema = z
  .object({ count: z.int(), variants: z.array(z.string()) })
  .describe("How often it was masked, and in which variants");

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
    masked: z.record(z.string(), maskCountSchema).describe("What was masked, by the name of the secret"),
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
    .describe("A second request with the same key gets the run of the first one, or 422 if it asks for something else"),
});

export const runsQuerySchema = z.strictObject({
  workflow: workflowId.optional().describe("Only runs of this workflow"),
  status: z
    .enum(["queued", "running", "success", "failed", "cancelled", "lost", "unknown", "unfinished"])
    .optional()
    .describe("Only runs in this state; unfinished: running, lost and unknown; queued: all that wait, in one page"),
  after: z.uuid().optional().describe("The last run of the page before: only runs that started before it"),
  limit: count(1, 1000).default(50).describe("The maximum number of runs, the newest first"),
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

export const problemSchema = z.object({
  severity: z.enum(["error", "warning", "note"]).describe("An error keeps it from running"),
  code: z.string().meta({ example: "WORKFLOW_INVALID" }),
  message: z.string(),
  hint: z.string().optional(),
  line: z.int().optional(),
  column: z.int().optional(),
});

export const reportSchema = z.object({ problems: z.array(problemSchema) });

export const inputSchema = z.object({
  type: z.enum(["string", "number", "boolean", "json"]),
  description: z.string().optional(),
  required: z.boolean(),
  secret: z.boolean().describe("Its value is masked"),
  default: z.unknown().optional(),
  enum: z.array(z.unknown()).optional().describe("The only values that are allowed"),
  pattern: z.string().optional().describe("A regular expression that a text must match somewhere"),
  min: z.number().optional().describe("The least number, or number of characters"),
  max: z.number().optional().describe("The greatest number, or number of characters"),
});

export const workflowSchema = z.object({
  id: z.string().nullable().describe("Null for a file that could never be read").meta({ example: "deploy" }),
  file: z.string().meta({ example: "deploy.yaml" }),
  enabled: z.boolean(),
  secrets: z.array(z.string()).describe("The names of the only secrets that it may use"),
  inputs: z
    .record(z.string(), inputSchema)
    .describe("What a run takes, by name")
    .meta({
      example: { environment: { type: "string", secret: false, required: true, enum: ["staging", "production"] } },
    }),
  trigger: z
    .looseObject({ type: z.enum(["cron", "webhook"]) })
    .nullable()
    .meta({ example: { type: "cron", cron: "0 6 * * *", timeZone: "Europe/Berlin" } }),
  nextTime: time.nullable().describe("When its schedule starts it next"),
  problem: z.string().nullable().describe("What is wrong with the file as it is now; the version before is in use"),
  problems: z
    .array(problemSchema)
    .describe(
      "What a check of the workflow finds, no older than some seconds. No source of secrets outside of the server's machine is asked",
    ),
});

export const workflowListSchema = z.array(workflowSchema);

export const graphQuerySchema = z.strictObject({
  format: z.enum(["json", "svg", "mermaid"]).optional().describe("Default: what `Accept` says, otherwise json"),
});

const nodeSchema = z.object({
  id: z.string().meta({ example: "build" }),
  type: z.string().meta({ example: "core/http.request" }),
  notes: z.array(z.string()).describe("When and how often it runs, one line each"),
  // A schema that contains itself would need a name in the description of the API.
  calls: z
    .looseObject({ id: z.string(), sections: z.array(z.unknown()) })
    .nullable()
    .describe("The workflow that it calls, in the same form"),
});

export const graphSchema = z.object({
  id: z.string().meta({ example: "deploy" }),
  sections: z
    .array(
      z.object({
        list: z.enum(["tasks", "onFailure", "finally"]),
        nodes: z.array(nodeSchema),
        edges: z
          // No tuple: it would be described in a way that OpenAPI 3.1 does not take.
          .array(z.array(z.int()).length(2))
          .describe("From the position of a task in nodes to that of one that comes after it")
          .meta({ example: [[0, 1]] }),
      }),
    )
    .describe("The tasks, then those of onFailure and finally, where there are any"),
});

export const usageSchema = z.array(
  z.object({
    workflow: z.string().describe("The id of a workflow that declares the secret").meta({ example: "deploy" }),
    file: z.string().meta({ example: "deploy.yaml" }),
    tasks: z
      .array(z.string())
      .describe("The tasks that refer to it, or call a workflow that declares it")
      .meta({ example: ["build"] }),
  }),
);

export const provenanceSchema = z.array(
  z.object({
    name: z.string().meta({ example: "GITHUB_TOKEN" }),
    source: z
      .string()
      .describe("store, environment or the name of a provider; run: it became secret in the run")
      .meta({ example: "vault" }),
    version: z.string().nullable().describe("As the source writes it"),
    binding: z
      .object({ path: z.string().optional(), field: z.string().optional(), lease: z.string().optional() })
      .nullable()
      .describe("Where in the source a bound name is"),
    staleSeconds: z
      .number()
      .nullable()
      .describe("The age of an earlier value that was used because the source was unavailable"),
    uses: z
      .array(z.object({ task: z.string().nullable().describe("Null: the outputs of the workflow"), path: z.string() }))
      .meta({ example: [{ task: "build", path: "auth.bearer" }] }),
    masked: maskCountSchema,
    maskedIn: z.record(z.string(), maskCountSchema).describe("The same by task, and by item of a forEach"),
    leases: z
      .array(z.object({ type: z.string(), time, expiresAt: z.string() }))
      .describe("What has happened to the credentials that it consists of"),
  }),
);

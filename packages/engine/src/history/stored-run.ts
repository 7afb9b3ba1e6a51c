import { z } from "zod";
import type { RunEvent } from "../run/run-event.ts";
import type { RunSummary } from "./run-history.ts";

const masked = z.record(z.string(), z.object({ count: z.number(), variants: z.array(z.string()) }));

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue("no JSON");
    return z.NEVER;
  }
});

const summary = z.object({
  execution: z.string(),
  workflow: z.string(),
  status: z.enum(["success", "failed", "unfinished"]),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  durationMs: z.number().nullable(),
  masked: json.pipe(masked),
});

const when = { time: z.string(), level: z.enum(["debug", "info", "warn", "error"]) };

const result = z.object({
  status: z.enum(["success", "failed", "skipped"]),
  output: z.unknown().optional(),
  error: z.object({ name: z.string(), message: z.string() }).optional(),
});

// In the order in which a run prints them.
const event = z.discriminatedUnion("event", [
  z.object({
    ...when,
    event: z.enum(["run.started", "run.warning", "task.started", "task.log", "task.retried", "task.finished"]),
    execution: z.string(),
    task: z.string().optional(),
    message: z.string(),
    data: z.unknown().optional(),
  }),
  z.object({
    ...when,
    event: z.literal("run.finished"),
    execution: z.string(),
    status: z.enum(["success", "failed"]),
    durationMs: z.number(),
    tasks: z.record(z.string(), result),
    masked,
  }),
]);

/** @throws ZodError where the row is not what a run is written as */
export function parseSummary(row: unknown): RunSummary {
  return summary.parse(row);
}

/** @throws ZodError as above */
export function parseEvent(text: unknown): RunEvent {
  return json.pipe(event).parse(text);
}

import { z } from "zod";
import type { RunEvent } from "../run/run-event.ts";
import type { RunSummary } from "./run-history.ts";

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue("no JSON");
    return z.NEVER;
  }
});

const time = z.iso.datetime();
const execution = z.uuid();
const masked = z.record(z.string(), z.object({ count: z.number(), variants: z.array(z.string()) }));

const summary = z.object({
  execution,
  workflow: z.string(),
  status: z.enum(["success", "failed", "unfinished"]),
  startedAt: time,
  finishedAt: time.nullable(),
  durationMs: z.number().nullable(),
  masked: json.pipe(masked),
});

const base = { time, level: z.enum(["debug", "info", "warn", "error"]), execution };

const result = z.object({
  status: z.enum(["success", "failed", "skipped"]),
  error: z.object({ name: z.string(), message: z.string() }).optional(),
});

const event = z.discriminatedUnion("event", [
  z.object({
    ...base,
    event: z.enum(["run.started", "run.warning", "task.started", "task.log", "task.retried", "task.finished"]),
    task: z.string().optional(),
    message: z.string(),
  }),
  z.object({
    ...base,
    event: z.literal("run.finished"),
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

/**
 * The event as it was written, with all its fields in their order.
 *
 * @throws ZodError as above
 */
export function parseEvent(text: unknown): RunEvent {
  const value = json.parse(text);
  event.parse(value);
  return value as RunEvent;
}

import type { MaskCount } from "@autokestra/secrets-core";
import type { Database } from "@autokestra/sqlite";
import { z } from "zod";
import type { CancelledBy, RecordedEvent } from "./events.ts";
import { type RunProcess, type UnfinishedStatus, unfinishedStatus } from "./process.ts";
import { readableTables } from "./schema.ts";

/**
 * The state of a run. The end of the last three is not recorded: the process of a `running` run is alive, that of a
 * `lost` run is not, and an `unknown` run was started on another host.
 */
export type RunStatus = "success" | "failed" | "cancelled" | UnfinishedStatus;

/** A run without its events. */
export interface RunSummary {
  /** The id of the run, a UUID. */
  readonly execution: string;
  /** The id of the workflow, masked. */
  readonly workflow: string;
  readonly status: RunStatus;
  /** Null for a run that was not cancelled. */
  readonly cancelledBy: CancelledBy | null;
  /** ISO 8601 UTC. */
  readonly startedAt: string;
  /** ISO 8601 UTC; null for an unfinished run. */
  readonly finishedAt: string | null;
  /** Null for an unfinished run. */
  readonly durationMs: number | null;
  /** What was masked in the run, by the name of the secret; empty for an unfinished run. */
  readonly masked: Readonly<Record<string, MaskCount>>;
}

/** Which runs `list` of a run history returns. */
export interface RunFilter {
  /** The id of a run: no other is returned. Default: all runs. */
  readonly id?: string | undefined;
  /** The id of a run: only runs that started before it are returned. Default: all runs. */
  readonly before?: string | undefined;
  /** The id of a workflow. Default: all workflows. */
  readonly workflow?: string | undefined;
  /** `unfinished` stands for `running`, `lost` and `unknown`. Default: every status. */
  readonly status?: RunStatus | "unfinished" | undefined;
  /** The maximum number of runs. Default: 50. */
  readonly limit?: number | undefined;
}

/** The number of newest runs to keep. */
const KEPT_RUNS = 1000;
/**
 * The number of older runs of other hosts to keep. They may be running, but killed containers leave more and more of
 * them.
 */
const KEPT_UNKNOWN = 1000;

const PROCESS = "pid, process_start AS processStart, host, boot_id AS bootId";
const SUMMARY = `
  id AS execution, workflow, status, cancelled_by AS cancelledBy, started_at AS startedAt, finished_at AS finishedAt,
  duration_ms AS durationMs, masked, ${PROCESS}
`;
const OLD_RUNS = `SELECT number, status, ${PROCESS} FROM run_records ORDER BY number DESC LIMIT -1 OFFSET ${KEPT_RUNS}`;

/** Lists runs, newest first. */
export function listRuns(database: Database, filter: RunFilter): readonly RunSummary[] {
  const { id = null, before = null, workflow = null, status = null, limit = 50 } = filter;
  const stored = status === null || isFinished(status) ? status : "running";
  return database.transaction(() => {
    const { runs } = readableTables(database);
    const where = `
      (@id IS NULL OR id = @id) AND (@workflow IS NULL OR workflow = @workflow) AND (@stored IS NULL OR status = @stored)
      AND (@before IS NULL OR number < (SELECT number FROM ${runs} WHERE id = @before))`;
    const found: RunSummary[] = [];
    // The status of an unfinished run depends on its process, so SQL cannot limit the result.
    const rows = database.prepare(`SELECT ${SUMMARY} FROM ${runs} WHERE ${where} ORDER BY number DESC`);
    for (const row of rows.iterate({ id, before, workflow, stored })) {
      if (found.length >= limit) break;
      const run = parseSummary(row);
      if (status === null || status === "unfinished" || status === run.status) found.push(run);
    }
    return found;
  });
}

/** Reads all events of a run, in their order; none if there is no such run. */
export function readEvents(database: Database, runId: string): readonly RecordedEvent[] {
  const events = database.transaction(() => {
    const { events: table } = readableTables(database);
    return database.prepare(`SELECT event FROM ${table} WHERE run_id = ? ORDER BY position`).pluck().all(runId);
  });
  return events.map(parseEvent);
}

/** Removes old runs, but never a running one. Call it in the transaction that adds a run. */
export function trimRuns(database: Database): void {
  const remove = database.prepare<[number]>("DELETE FROM run_records WHERE number = ?");
  let unknown = 0;
  for (const run of database.prepare<[], OldRun>(OLD_RUNS).all()) {
    const state = run.status === "running" ? unfinishedStatus(processOf(run)) : "finished";
    if (state === "unknown") unknown += 1;
    if (state !== "running" && (state !== "unknown" || unknown > KEPT_UNKNOWN)) remove.run(run.number);
  }
}

interface StoredProcess {
  readonly pid: number | null;
  readonly processStart: number | null;
  readonly host: string | null;
  readonly bootId: string | null;
}

interface OldRun extends StoredProcess {
  readonly number: number;
  readonly status: string;
}

function processOf({ pid, processStart, host, bootId }: StoredProcess): RunProcess | null {
  return pid === null || host === null ? null : { pid, startTime: processStart, host, bootId };
}

function isFinished(status: RunStatus | "unfinished"): boolean {
  return status === "success" || status === "failed" || status === "cancelled";
}

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue("not JSON");
    return z.NEVER;
  }
});

const time = z.iso.datetime();
const execution = z.uuid();
const masked = z.record(z.string(), z.object({ count: z.number(), variants: z.array(z.string()) }));
const cancelledBy = z.enum(["user", "timeout", "shutdown", "superseded"]);

const storedRun = z.object({
  execution,
  workflow: z.string(),
  status: z.enum(["running", "success", "failed", "cancelled"]),
  cancelledBy: cancelledBy.nullable(),
  startedAt: time,
  finishedAt: time.nullable(),
  durationMs: z.number().nullable(),
  masked: json.pipe(masked),
  pid: z.int().positive().nullable(),
  processStart: z.number().nullable(),
  host: z.string().nullable(),
  bootId: z.string().nullable(),
});

const base = { time, level: z.enum(["debug", "info", "warn", "error"]), execution };

const result = z.object({
  status: z.enum(["success", "failed", "skipped", "cancelled"]),
  // Older records have no code.
  error: z.object({ name: z.string(), code: z.string().optional(), message: z.string() }).optional(),
});

const storedEvent = z.discriminatedUnion("event", [
  z.object({
    ...base,
    event: z.enum([
      "run.started",
      "run.warning",
      "run.lease",
      "task.started",
      "task.log",
      "task.retried",
      "task.finished",
    ]),
    task: z.string().optional(),
    message: z.string(),
  }),
  z.object({
    ...base,
    event: z.literal("run.finished"),
    status: z.enum(["success", "failed", "cancelled"]),
    cancelledBy: cancelledBy.optional(),
    durationMs: z.number(),
    tasks: z.record(z.string(), result),
    masked,
  }),
]);

/** @throws ZodError if the row is damaged */
function parseSummary(row: unknown): RunSummary {
  const { pid, processStart, host, bootId, ...run } = storedRun.parse(row);
  const status =
    run.status === "running" ? unfinishedStatus(processOf({ pid, processStart, host, bootId })) : run.status;
  return { ...run, status };
}

/**
 * Returns the event as it was written, with all its fields in their order.
 *
 * @throws ZodError if the row is damaged
 */
function parseEvent(text: unknown): RecordedEvent {
  const value = json.parse(text);
  storedEvent.parse(value);
  return value as RecordedEvent;
}

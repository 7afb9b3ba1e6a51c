import type { MaskCount } from "@autokestra/secrets-core";
import { AutokestraError } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";
import type { Database } from "@autokestra/sqlite";
import { z } from "zod";
import type { CancelledBy, RecordedEvent } from "./events.ts";
import { wipeExpired } from "./kept.ts";
import { type RunProcess, type RunStatus, unfinishedStatus } from "./process.ts";
import { type LeftLease, leftLeases, secretsOfRun } from "./provenance.ts";
import { hasQueue, readableTables } from "./schema.ts";

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

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    RUN_AMBIGUOUS: object;
  }
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

/** Which runs stay when another one begins. */
export interface KeptRuns {
  /** The number of newest runs to keep. Default: 1 000. */
  readonly runs?: number | undefined;
  /** How many days finished runs are kept. Default: without a limit. */
  readonly days?: number | undefined;
  /** How much of the log lines of one run is recorded, in MiB. Default: 64. */
  readonly logMiB?: number | undefined;
}

/**
 * The number of older runs of other hosts to keep. They may be running, but killed containers leave more and more of
 * them.
 */
const KEPT_UNKNOWN = 1000;

/** Selects {@link StoredProcess}. */
export const PROCESS = "pid, process_start AS processStart, host, boot_id AS bootId";
const SUMMARY = `
  id AS execution, workflow, status, cancelled_by AS cancelledBy, started_at AS startedAt, finished_at AS finishedAt,
  duration_ms AS durationMs, masked, ${PROCESS}
`;
const OLD_RUNS = `
  SELECT number, status, ${PROCESS} FROM run_records
  WHERE number <= (SELECT number FROM run_records ORDER BY number DESC LIMIT 1 OFFSET @runs) OR started_at < @before
  ORDER BY number DESC
`;
const DAY_MS = 86_400_000;

/** Lists runs, newest first. Use it within one transaction. */
export function listRuns(database: Database, filter: RunFilter): readonly RunSummary[] {
  const { id = null, before = null, workflow = null, status = null, limit = 50 } = filter;
  const stored = status === null || isFinished(status) ? status : "running";
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
}

/** How many events are read at once: many readers, some of them slow, may read one long run. */
export const EVENT_BATCH = 200;

/**
 * Reads the events of a run from a place on; none if there is no such run. Use it within one transaction.
 *
 * @param limit how many at most. Default: all
 */
export function readEvents(database: Database, runId: string, position = 0, limit = -1): readonly RecordedEvent[] {
  const { events: table } = readableTables(database);
  const sql = `SELECT event FROM ${table} WHERE run_id = ? AND position >= ? ORDER BY position LIMIT ?`;
  return database.prepare(sql).pluck().all(runId, position, limit).map(parseEvent);
}

const LEASES = `
  SELECT event FROM run_events WHERE run_id = ? AND event ->> '$.event' IN ('run.started', 'run.lease') ORDER BY position
`;

/** Reads which credentials the attempts of a run have left behind. */
export function readLeftLeases(database: Database, runId: string): readonly LeftLease[] {
  return leftLeases(database.prepare(LEASES).pluck().all(runId).map(parseEvent));
}

/**
 * Finds the id of a run.
 *
 * @param text a whole id, at least four characters of its beginning, or `last` for the run that was started last
 * @param withQueued whether runs that wait to start are found, too
 * @throws AutokestraError `RUN_NOT_FOUND`, `RUN_AMBIGUOUS`
 */
export function findRunId(database: Database, text: string, withQueued: boolean): string {
  const { runs } = readableTables(database);
  if (text === "last") {
    const last = database.prepare<[], string>(`SELECT id FROM ${runs} ORDER BY number DESC LIMIT 1`).pluck().get();
    if (last === undefined) throw new AutokestraError("RUN_NOT_FOUND", "There is no run yet");
    return last;
  }
  const isPrefix = /^[0-9a-f][0-9a-f-]{3,}$/i.test(text);
  const queued = withQueued && hasQueue(database) ? "UNION SELECT run_id FROM queued_runs" : "";
  const all = `(SELECT id FROM ${runs} ${queued})`;
  const sql = `SELECT id FROM ${all} WHERE id = @text OR (@prefix AND substr(id, 1, length(@text)) = @text) LIMIT 3`;
  const found = database
    .prepare<[object], string>(sql)
    .pluck()
    .all({ text: text.toLowerCase(), prefix: Number(isPrefix) });
  const [id, ...others] = found;
  if (id === undefined) throw runNotFound(text);
  if (others.length === 0) return id;
  throw new AutokestraError("RUN_AMBIGUOUS", `Several runs begin with '${quoteText(text)}'`, {
    hint: "Give more characters of the id.",
  });
}

/** The path of the file of a run, masked. */
export function readFile(database: Database, runId: string): string | null {
  const found = database
    .prepare<[string], string | null>("SELECT file FROM run_records WHERE id = ?")
    .pluck()
    .get(runId);
  return found ?? null;
}

/** The names of the secrets that a run may use, and of those that it has used before it was resumed. */
export function readSecrets(database: Database, runId: string): readonly string[] {
  const found = database
    .prepare<[string], { secrets: string; attempt: number }>("SELECT secrets, attempt FROM run_records WHERE id = ?")
    .get(runId);
  if (found === undefined) return [];
  const declared = z.array(z.string()).parse(JSON.parse(found.secrets));
  // Its workflow may have declared others then.
  const earlier = found.attempt === 1 ? [] : secretsOfRun(readEvents(database, runId));
  return [...new Set([...declared, ...earlier.filter(({ source }) => source !== "run").map(({ name }) => name)])];
}

/** `Run 'ID' not found` */
export function runNotFound(runId: string): AutokestraError {
  return new AutokestraError("RUN_NOT_FOUND", `Run '${quoteText(runId)}' not found`);
}

/** Removes runs with all that belongs to them. @throws AutokestraError `RUN_ACTIVE` if one of them is running */
export function deleteRuns(database: Database, ids: readonly string[]): void {
  const find = database.prepare<[string], OldRun>(`SELECT number, status, ${PROCESS} FROM run_records WHERE id = ?`);
  const remove = database.prepare<[number]>("DELETE FROM run_records WHERE number = ?");
  for (const id of ids) {
    const run = find.get(id);
    if (run === undefined) throw runNotFound(id);
    if (statusOf(run) === "running") {
      throw new AutokestraError("RUN_ACTIVE", `Run ${id} is running`, { details: { reason: "running" } });
    }
    remove.run(run.number);
  }
}

/** Removes the runs that were started before a time (ISO 8601 UTC), but no running one. Returns how many. */
export function deleteRunsBefore(database: Database, time: string): number {
  const sql = `SELECT number, status, ${PROCESS} FROM run_records WHERE started_at < ?`;
  const remove = database.prepare<[number]>("DELETE FROM run_records WHERE number = ?");
  const old = database
    .prepare<[string], OldRun>(sql)
    .all(time)
    .filter((run) => statusOf(run) !== "running");
  for (const { number } of old) remove.run(number);
  return old.length;
}

/** Removes old runs, but never a running one. Call it in the transaction that adds a run. */
export function trimRuns(database: Database, { runs = 1000, days }: KeptRuns): void {
  wipeExpired(database);
  const before = days === undefined ? "" : new Date(Date.now() - days * DAY_MS).toISOString();
  const remove = database.prepare<[number]>("DELETE FROM run_records WHERE number = ?");
  let unknown = 0;
  for (const run of database.prepare<[object], OldRun>(OLD_RUNS).all({ runs, before })) {
    const state = statusOf(run);
    if (state === "unknown") unknown += 1;
    if (state !== "running" && (state !== "unknown" || unknown > KEPT_UNKNOWN)) remove.run(run.number);
  }
}

/**
 * Whether the process of something that is not recorded as ended may still be there: on another host, as long as it has told so not long
 * ago.
 */
export function isAlive(row: StoredProcess & { readonly status: "running"; readonly isFresh: number }): boolean {
  const state = statusOf(row);
  return state === "running" || (state === "unknown" && row.isFresh === 1);
}

/** What a row says of a run. */
export type StoredStatus = "running" | "success" | "failed" | "cancelled";

/** The state of a run now. */
export function statusOf(run: StoredProcess & { readonly status: StoredStatus }): RunStatus {
  return run.status === "running" ? unfinishedStatus(processOf(run)) : run.status;
}

/** The columns of the process of a run. */
export interface StoredProcess {
  readonly pid: number | null;
  readonly processStart: number | null;
  readonly host: string | null;
  readonly bootId: string | null;
}

interface OldRun extends StoredProcess {
  readonly number: number;
  readonly status: StoredStatus;
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
  return { ...run, status: statusOf({ status: run.status, pid, processStart, host, bootId }) };
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

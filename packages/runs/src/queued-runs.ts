import type { Database } from "@autokestra/sqlite";
import { z } from "zod";
import { type ClaimedRequest, claim, release } from "./claims.ts";
import type { RunId } from "./ledger.ts";
import { processColumns, type RunStatus, thisProcess } from "./process.ts";
import { isAlive, PROCESS, type RunSummary } from "./records.ts";
import { NOW } from "./task-rows.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** Another run of its concurrency group is running, and the workflow says that a new one is refused. */
    RUN_LEFT_OUT: object;
  }
}

/** A run that waits to start, or that has not begun yet. */
export interface QueuedRun {
  readonly id: RunId;
  readonly workflow: string;
  /** The absolute path of its file; null for a workflow that came as text. */
  readonly file: string | null;
}

/** A run as it is listed, also one that waits: it has not started. */
export interface ListedRun extends Omit<RunSummary, "status" | "startedAt"> {
  readonly status: RunStatus | "queued";
  readonly startedAt: string | null;
}

/** A run that waits, as it is listed beside those that have started. */
export function listedAsQueued({ id, workflow }: Pick<QueuedRun, "id" | "workflow">): ListedRun {
  const unknown = { cancelledBy: null, startedAt: null, finishedAt: null, durationMs: null, masked: {} };
  return { execution: id, workflow, status: "queued", ...unknown };
}

/** The concurrency group of a run: runs of one group never overlap, even on several servers. */
export interface RunGroup {
  readonly name: string;
  /** What a new run does while another one is running or waiting. */
  readonly busy: "queue" | "skip" | "cancel";
}

/** Whether a run that waits may begin. `busy`: not before others of its group; `gone`: it does not wait here any more. */
export type Turn = "begin" | "busy" | "gone";

/** What a queued run is started with, as only its key opens it. */
export interface QueuedStart {
  readonly keyId: string;
  readonly bytes: Uint8Array;
}

/** @param Start null where nothing could be kept, or where it does not open */
type WithStart<Start> = QueuedRun & { readonly start: Start | null };

/**
 * The runs that servers have taken and not begun. Each belongs to the process that has it in its queue, until the run begins, or the
 * process is lost and another one takes it over.
 */
export interface QueuedRuns<Start = QueuedStart> {
  /**
   * Adds a run, before the client gets its answer.
   *
   * @param run of a group that is busy, it waits, is refused, or takes the place of the others, as the group says. Default: in none
   * @param key the run is its run for 24 hours; undefined for none
   * @param request what the run was asked for with: its own key counts then. Default: any request with `key` gets its run
   * @returns the run that has the key: this one, unless another one had it before
   * @throws AutokestraError `RUN_LEFT_OUT`; `IDEMPOTENCY_KEY_REUSED` for a key that names another request
   */
  add(
    run: WithStart<Start> & { readonly group?: RunGroup | undefined },
    key?: string,
    request?: ClaimedRequest,
  ): Promise<RunId>;
  /** The run was not taken after all: its key is free again. */
  remove(id: RunId, key?: string, request?: ClaimedRequest): Promise<void>;
  find(id: RunId): Promise<QueuedRun | null>;
  /** All of them, in their order. @param workflow the id of a workflow. Default: of all workflows */
  list(workflow?: string): Promise<readonly QueuedRun[]>;
  /** Whether a run is still in the queue of this process. */
  isOurs(id: RunId): Promise<boolean>;
  /** All that are. */
  ours(): Promise<ReadonlySet<RunId>>;
  /**
   * Whether it is the turn of a run. One run of a group runs at a time, and the first waiting one begins, on any server:
   * from then on the run has the group, until it has ended or its process is lost.
   */
  takeTurn(id: RunId): Promise<Turn>;
  /** The run has ended, and its end may not be recorded: others of its group may begin. */
  leaveGroup(id: RunId): Promise<void>;
  /** Tells other hosts that this process has its runs and their groups still: call it every few seconds. */
  beat(): Promise<void>;
  /** Takes over runs of processes that are lost, in their order. */
  takeLost(limit: number): Promise<readonly WithStart<Start>[]>;
}

/** How long a run is left to a process of another host that tells nothing. */
export const SILENT_MS = 60_000;

const RUN = "run_id AS id, workflow, file";
/** The rows of this process, by {@link processColumns}. */
export const MINE = "pid = ? AND process_start IS ? AND host = ? AND boot_id IS ?";
const INSERT = `
  INSERT OR REPLACE INTO queued_runs (
    run_id, workflow, file, key_id, start, concurrency_group, until, pid, process_start, host, boot_id
  )
  VALUES (?, ?, ?, ?, ?, ?, ${NOW} + ${SILENT_MS}, ?, ?, ?, ?)
`;
const OTHERS = `
  SELECT ${RUN}, key_id AS keyId, start AS bytes, 'running' AS status, until > ${NOW} AS isFresh, ${PROCESS}
  FROM queued_runs WHERE NOT (${MINE}) ORDER BY number
`;
const TAKE = `
  UPDATE queued_runs SET is_starting = 0, until = ${NOW} + ${SILENT_MS}, pid = ?, process_start = ?, host = ?, boot_id = ? WHERE run_id = ?
`;

const runSchema = z.object({ id: z.uuid(), workflow: z.string(), file: z.string().nullable() });
const mineSchema = z.object({ number: z.int(), group: z.string().nullable() });
const startSchema = z.object({ keyId: z.string(), bytes: z.instanceof(Uint8Array) });
const processSchema = z.object({
  status: z.literal("running"),
  isFresh: z.int(),
  pid: z.int().nullable(),
  processStart: z.int().nullable(),
  host: z.string().nullable(),
  bootId: z.string().nullable(),
});

/** Use it within a transaction, as all of these. */
export function addQueued(
  database: Database,
  run: WithStart<QueuedStart>,
  key: string | undefined,
  group: string | null,
  request?: ClaimedRequest,
): RunId {
  const { id, workflow, file, start } = run;
  const owner = key === undefined ? id : claim(database, key, id, request);
  if (owner !== id) return owner;
  const columns = processColumns(thisProcess());
  database.prepare(INSERT).run(id, workflow, file, start?.keyId ?? null, start?.bytes ?? null, group, ...columns);
  return id;
}

/** The run has begun, or never will. */
export function removeQueued(database: Database, id: RunId, key?: string, request?: ClaimedRequest): void {
  database.prepare("DELETE FROM queued_runs WHERE run_id = ?").run(id);
  if (key !== undefined) release(database, key, id, request);
}

export function findQueued(database: Database, id: RunId): QueuedRun | null {
  const row = database.prepare(`SELECT ${RUN} FROM queued_runs WHERE run_id = ?`).get(id);
  return row === undefined ? null : runSchema.parse(row);
}

/** @param workflow undefined: of all workflows */
export function listQueued(database: Database, workflow: string | undefined): readonly QueuedRun[] {
  const sql = `SELECT ${RUN} FROM queued_runs WHERE workflow = coalesce(?, workflow) ORDER BY number`;
  return database
    .prepare(sql)
    .all(workflow ?? null)
    .map((row) => runSchema.parse(row));
}

export function queuedHere(database: Database): ReadonlySet<RunId> {
  const sql = `SELECT run_id FROM queued_runs WHERE ${MINE}`;
  return new Set(
    database
      .prepare<unknown[], string>(sql)
      .pluck()
      .all(...processColumns(thisProcess())),
  );
}

/** The place and the group of a run in the queue of this process; null for one that is not there. */
export function findMine(
  database: Database,
  id: RunId,
): { readonly number: number; readonly group: string | null } | null {
  const sql = `SELECT number, concurrency_group AS "group" FROM queued_runs WHERE ${MINE} AND run_id = ?`;
  const row = database.prepare(sql).get(...processColumns(thisProcess()), id);
  return row === undefined ? null : mineSchema.parse(row);
}

export function beatQueued(database: Database): void {
  const columns = processColumns(thisProcess());
  const until = `${NOW} + ${SILENT_MS}`;
  database.prepare(`UPDATE queued_runs SET until = ${until} WHERE ${MINE}`).run(...columns);
  const going = "concurrency_group IS NOT NULL AND status = 'running'";
  database.prepare(`UPDATE run_records SET held_until = ${until} WHERE ${going} AND ${MINE}`).run(...columns);
}

/** Whether other processes have runs in their queues. */
export function hasOthersQueued(database: Database): boolean {
  const sql = `SELECT 1 FROM queued_runs WHERE NOT (${MINE}) LIMIT 1`;
  return database.prepare(sql).get(...processColumns(thisProcess())) !== undefined;
}

export function takeLostQueued(database: Database, limit: number): readonly WithStart<QueuedStart>[] {
  const columns = processColumns(thisProcess());
  const take = database.prepare(TAKE);
  const taken: WithStart<QueuedStart>[] = [];
  for (const row of database.prepare(OTHERS).all(...columns)) {
    if (taken.length >= limit) break;
    if (isAlive(processSchema.parse(row))) continue;
    const run = runSchema.parse(row);
    take.run(...columns, run.id);
    taken.push({ ...run, start: startSchema.safeParse(row).data ?? null });
  }
  return taken;
}

import type { Database } from "@autokestra/sqlite";
import { z } from "zod";
import { claim, release } from "./claims.ts";
import type { RunId } from "./ledger.ts";
import { processColumns, thisProcess } from "./process.ts";
import { PROCESS, stateOf } from "./records.ts";
import { NOW } from "./task-rows.ts";

/** A run that waits to start, or that has not begun yet. */
export interface QueuedRun {
  readonly id: RunId;
  readonly workflow: string;
  /** The absolute path of its file; null for a workflow that came as text. */
  readonly file: string | null;
}

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
   * Adds a run, before a client is told of it.
   *
   * @param key the run is its run for 24 hours; undefined for none
   * @returns the run that has the key: this one, unless another one had it before
   */
  add(run: WithStart<Start>, key?: string): Promise<RunId>;
  /** The run was not taken after all: its key is free again. */
  remove(id: RunId, key?: string): Promise<void>;
  find(id: RunId): Promise<QueuedRun | null>;
  /** All of them, in their order. @param workflow the id of a workflow. Default: of all workflows */
  list(workflow?: string): Promise<readonly QueuedRun[]>;
  /** Whether a run is still in the queue of this process. */
  isOurs(id: RunId): Promise<boolean>;
  /** All that are. */
  ours(): Promise<ReadonlySet<RunId>>;
  /** Tells other hosts that this process has its runs still: call it every few seconds. */
  beat(): Promise<void>;
  /** Takes over runs of processes that are lost, in their order. */
  takeLost(limit: number): Promise<readonly WithStart<Start>[]>;
}

/** How long a run is left to a process of another host that tells nothing. */
const SILENT_MS = 60_000;

const RUN = "run_id AS id, workflow, file";
const MINE = "pid = ? AND process_start IS ? AND host = ? AND boot_id IS ?";
const INSERT = `
  INSERT OR REPLACE INTO queued_runs (run_id, workflow, file, key_id, start, until, pid, process_start, host, boot_id)
  VALUES (?, ?, ?, ?, ?, ${NOW} + ${SILENT_MS}, ?, ?, ?, ?)
`;
const OTHERS = `
  SELECT ${RUN}, key_id AS keyId, start AS bytes, 'running' AS status, until > ${NOW} AS isFresh, ${PROCESS}
  FROM queued_runs WHERE NOT (${MINE}) ORDER BY number
`;
const TAKE = `
  UPDATE queued_runs SET until = ${NOW} + ${SILENT_MS}, pid = ?, process_start = ?, host = ?, boot_id = ? WHERE run_id = ?
`;

const runSchema = z.object({ id: z.uuid(), workflow: z.string(), file: z.string().nullable() });
const startSchema = z.object({ keyId: z.string(), bytes: z.instanceof(Uint8Array) });
const processSchema = z.object({
  status: z.string(),
  isFresh: z.int(),
  pid: z.int().nullable(),
  processStart: z.int().nullable(),
  host: z.string().nullable(),
  bootId: z.string().nullable(),
});

/** Use it within a transaction, as all of these. */
export function addQueued(database: Database, run: WithStart<QueuedStart>, key: string | undefined): RunId {
  const { id, workflow, file, start } = run;
  const owner = key === undefined ? id : claim(database, key, id);
  if (owner !== id) return owner;
  const columns = processColumns(thisProcess());
  database.prepare(INSERT).run(id, workflow, file, start?.keyId ?? null, start?.bytes ?? null, ...columns);
  return id;
}

/** The run has begun, or never will. */
export function removeQueued(database: Database, id: RunId, key?: string): void {
  database.prepare("DELETE FROM queued_runs WHERE run_id = ?").run(id);
  if (key !== undefined) release(database, key, id);
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

export function isQueuedHere(database: Database, id: RunId): boolean {
  const sql = `SELECT 1 FROM queued_runs WHERE ${MINE} AND run_id = ?`;
  return database.prepare(sql).get(...processColumns(thisProcess()), id) !== undefined;
}

export function beatQueued(database: Database): void {
  const sql = `UPDATE queued_runs SET until = ${NOW} + ${SILENT_MS} WHERE ${MINE}`;
  database.prepare(sql).run(...processColumns(thisProcess()));
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
    if (taken.length === limit) break;
    const { isFresh, ...owner } = processSchema.parse(row);
    const state = stateOf(owner);
    if (state === "running" || (state === "unknown" && isFresh === 1)) continue;
    const run = runSchema.parse(row);
    take.run(...columns, run.id);
    taken.push({ ...run, start: startSchema.safeParse(row).data ?? null });
  }
  return taken;
}

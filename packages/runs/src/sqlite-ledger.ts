import { setTimeout } from "node:timers/promises";
import { AutokestraError, type EncryptedSecret, type SecretName } from "@autokestra/secrets-core";
import type { Database } from "@autokestra/sqlite";
import { cancelRun, findState, GONE, readOwnership, runEnded } from "./cancel-run.ts";
import { hasSucceeded } from "./durable-run.ts";
import type { CancelReason, RecordedEvent, RunEvent } from "./events.ts";
import type { HistoryFile } from "./history-file.ts";
import { insertKept } from "./kept.ts";
import {
  type KeptValue,
  type Lease,
  type MaskedError,
  type MaskedResult,
  type NewRun,
  type NewTask,
  OUTCOME_UNKNOWN,
  type Ownership,
  type ResumedRun,
  type RunId,
  type RunLedger,
  type Seq,
  type TaskRun,
  type TaskRunId,
  type WorkerId,
} from "./ledger.ts";
import { perDatabase } from "./per-database.ts";
import { processColumns, type RunStatus, thisProcess } from "./process.ts";
import { findMine, removeQueued, SILENT_MS } from "./queued-runs.ts";
import { insertEvents } from "./recorded-events.ts";
import { EVENT_BATCH, type KeptRuns, readEvents, runNotFound, statusOf, trimRuns } from "./records.ts";
import { NOW, TaskRows, taskRun } from "./task-rows.ts";
import { settle, stopAfter, type TaskEnd, type TaskState } from "./task-states.ts";

/** What a {@link SqliteRunLedger} works with. */
export interface SqliteLedgerParts {
  readonly history: HistoryFile;
  readonly keep: KeptRuns;
  /** Looks up a secret for {@link RunLedger.release}. Default: there are none. */
  readonly secrets?: ((name: SecretName) => Promise<EncryptedSecret | null>) | undefined;
}

const CREATE = `
  INSERT INTO run_records (
    id, workflow, file, status, started_at, masked, pid, process_start, host, boot_id, secrets, token, kept_until,
    concurrency_group, held_until
  )
  VALUES (
    @id, @workflow, @file, 'running', @startedAt, '{}', @pid, @processStart, @host, @bootId, @secrets, @token,
    ${NOW} + @keepMs, (SELECT concurrency_group FROM queued_runs WHERE run_id = @id), ${NOW} + ${SILENT_MS}
  )
`;
const TAKE_OVER = `
  UPDATE run_records SET status = 'running', cancelled_by = NULL, finished_at = NULL, duration_ms = NULL, stop = NULL,
    stop_reason = NULL, token = ?, attempt = attempt + 1, secrets = ?, pid = ?, process_start = ?, host = ?, boot_id = ?,
    concurrency_group = (SELECT concurrency_group FROM queued_runs WHERE run_id = run_records.id),
    held_until = ${NOW} + ${SILENT_MS}
  WHERE id = ?
`;
/** Not with RETURNING, for which SQLite makes a temporary table each time. */
const CLAIMABLE = `
  SELECT run_id AS run, task, task_runs.attempt + 1 AS attempt FROM task_runs JOIN run_records ON run_records.id = run_id
  WHERE task_runs.number = ? AND status = 'running' AND (
    (state = 'ready' AND stop IS NULL) OR (state = 'waiting' AND due_at <= ${NOW} AND stop IS NOT 'cancelled')
  )
`;
const CLAIM = `
  UPDATE task_runs SET state = 'running', attempt = ?, worker = ?, lease_token = ?, due_at = NULL, lease_until = ${NOW} + ?
  WHERE number = ?
`;
const TASKS = "SELECT CAST(number AS TEXT) AS id, task, state, attempt FROM task_runs WHERE run_id = ? ORDER BY number";
const OWNED = "SELECT 1 FROM run_records WHERE id = ? AND token = ?";
const BEAT = `UPDATE task_runs SET lease_until = ${NOW} + ? WHERE number = ? AND lease_token = ?`;
const HELD = `
  SELECT secrets FROM task_runs JOIN run_records ON run_records.id = run_id
  WHERE task_runs.number = ? AND lease_token = ? AND (lease_until IS NULL OR lease_until > ${NOW})
`;
const END = `
  UPDATE task_runs SET state = ?, result = ?, worker = NULL, lease_token = NULL, lease_until = NULL, due_at = ?
  WHERE number = ? AND lease_token = ?
`;
const STOP = "UPDATE run_records SET stop = ? WHERE id = ? AND stop IS NOT 'cancelled'";
/** A run with an owner is not reaped: resuming it decides. */
const OVER = `
  SELECT task_runs.number, run_id AS run, task, task_runs.attempt FROM task_runs JOIN run_records ON run_records.id = run_id
  WHERE lease_until < ${NOW} AND token IS NULL
`;
const DUE = `
  SELECT task_runs.number FROM task_runs JOIN run_records ON run_records.id = run_id
  WHERE due_at <= ${NOW} AND state IN ('ready', 'waiting') AND token IS NULL AND status = 'running'
`;
const RUNG = `UPDATE task_runs SET due_at = ${NOW} + 15000 WHERE number = ? AND state = 'ready'`;

/** How long to wait for the next events of a run of another process, in milliseconds. */
const POLL_MS = 200;

/** The ledger of runs in the SQLite database of the run history. */
export class SqliteRunLedger implements RunLedger {
  readonly #parts: SqliteLedgerParts;

  constructor(parts: SqliteLedgerParts) {
    this.#parts = parts;
  }

  async createRun({
    id,
    workflow,
    file,
    secrets,
    tasks,
    owner,
    finished,
    kept,
    fromQueue,
  }: NewRun): Promise<readonly TaskRunId[]> {
    const { rows, ready } = await this.#parts.history.queue.write((database) => {
      checkQueued(database, { id, fromQueue });
      const { pid, startTime, host, bootId } = thisProcess();
      database.prepare(CREATE).run({
        id,
        workflow,
        file,
        startedAt: new Date().toISOString(),
        pid,
        processStart: startTime,
        host,
        bootId,
        secrets: JSON.stringify(secrets),
        token: owner?.token ?? null,
        keepMs: kept?.milliseconds ?? null,
      });
      removeQueued(database, id);
      trimRuns(database, this.#parts.keep);
      for (const value of kept?.values ?? []) insertKept(database, id, value);
      return writeTasks(database, id, tasks, finished ?? new Map());
    });
    rows.share();
    return ready;
  }

  async resume(run: ResumedRun): Promise<readonly TaskRunId[]> {
    const { rows, ready } = await this.#parts.history.queue.write((database) => {
      checkQueued(database, run);
      checkResumable(database, run);
      const columns = processColumns(thisProcess());
      database.prepare(TAKE_OVER).run(run.owner.token, JSON.stringify(run.secrets), ...columns, run.id);
      removeQueued(database, run.id);
      return writeTasks(database, run.id, run.tasks, run.finished);
    });
    rows.share();
    return ready;
  }

  async claim(id: TaskRunId, worker: WorkerId, milliseconds: number): Promise<Lease | null> {
    const token = crypto.randomUUID();
    return await this.#parts.history.queue.write((database) => {
      const { claimable, claim } = statementsOf(database);
      const found = claimable.get(Number(id));
      if (found === undefined) return null;
      claim.run(found.attempt, worker, token, finiteOrNull(milliseconds), Number(id));
      return { id, token, milliseconds, ...found };
    });
  }

  async tasks(run: RunId): Promise<readonly TaskRun[]> {
    const rows = await this.#parts.history.readLedger((database) => database.prepare<[string]>(TASKS).all(run));
    return (rows ?? []).map((row) => taskRun.parse(row));
  }

  async heartbeat({ id, run, token, milliseconds }: Lease): Promise<"held" | "cancelled" | "lost"> {
    return await this.#parts.history.queue.write((database) => {
      const { changes } = statementsOf(database).beat.run(finiteOrNull(milliseconds), Number(id), token);
      if (changes === 0) return "lost";
      return new TaskRows(database, run).stop === "cancelled" ? "cancelled" : "held";
    });
  }

  async release({ id, token }: Lease, name: SecretName): Promise<EncryptedSecret | null> {
    const held = await this.#parts.history.read((database) =>
      database.prepare<[number, string], { secrets: string }>(HELD).get(Number(id), token),
    );
    const declared: unknown = JSON.parse(held?.secrets ?? "[]");
    if (!Array.isArray(declared) || !declared.includes(name)) return null;
    return (await this.#parts.secrets?.(name)) ?? null;
  }

  async finish(lease: Lease, result: MaskedResult, kept?: KeptValue): Promise<readonly TaskRunId[] | null> {
    return await this.#parts.history.queue.write((database) => end(database, lease, result.status, result, kept));
  }

  async fail(
    lease: Lease,
    error: MaskedError,
    retryAt: Date | null,
    kept?: KeptValue,
  ): Promise<readonly TaskRunId[] | null> {
    return await this.#parts.history.queue.write((database) => {
      if (retryAt === null) return end(database, lease, "failed", { status: "failed", error }, kept);
      const isMine = endRow(database, lease, "waiting", { status: "failed", error }, retryAt.getTime());
      return isMine ? [] : null;
    });
  }

  async keep(run: RunId, token: string, values: readonly KeptValue[]): Promise<boolean> {
    return await this.#parts.history.queue.write((database) => {
      const isMine = statementsOf(database).owned.get(run, token) !== undefined;
      if (isMine) for (const value of values) insertKept(database, run, value);
      return isMine;
    });
  }

  async cancel(run: RunId, reason: CancelReason): Promise<RunStatus> {
    // None is made to say that it has no such run.
    if ((await this.#parts.history.read(() => true)) === null) throw runNotFound(run);
    const status = await this.#parts.history.queue.write((database) => cancelRun(database, run, reason));
    this.#parts.history.changes.tell();
    return status;
  }

  async ownership(run: RunId, token: string): Promise<Ownership> {
    return (await this.#parts.history.read((database) => readOwnership(database, run, token))) ?? GONE;
  }

  async reap(): Promise<readonly TaskRunId[]> {
    return await this.#parts.history.queue.write((database) => {
      const again = database
        .prepare<[], OverRow>(OVER)
        .all()
        .flatMap((over) => giveUpLease(database, over));
      const due = database.prepare<[], number>(DUE).pluck().all();
      const rung = database.prepare(RUNG);
      for (const number of due) rung.run(number);
      return [...new Set([...again, ...due.map(String)])];
    });
  }

  async append(run: RunId, events: readonly RunEvent[]): Promise<void> {
    const hasWiped = await this.#parts.history.queue.write((database) => {
      if (stateInDatabase(database, run) === null) throw runNotFound(run);
      return insertEvents(database, run, events);
    });
    if (hasWiped) this.#parts.history.queue.checkpoint();
  }

  async *events(run: RunId, after: Seq, signal?: AbortSignal): AsyncIterable<RecordedEvent> {
    let next = after;
    for (;;) {
      const found = await this.#parts.history.read((database) => ({
        // First, so that no event is missed that was written before the end.
        isOpen: stateInDatabase(database, run) === "running",
        events: readEvents(database, run, next, EVENT_BATCH),
      }));
      if (found === null) return;
      yield* found.events;
      next += found.events.length;
      if (signal?.aborted === true) return;
      if (found.events.length === EVENT_BATCH) continue;
      if (!found.isOpen) return;
      await setTimeout(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await this.#parts.history.close();
  }
}

interface ClaimedRow {
  readonly run: RunId;
  readonly task: string;
  readonly attempt: number;
}

interface OverRow extends ClaimedRow {
  readonly number: number;
}

/** What every task needs. */
const statementsOf = perDatabase((database) => ({
  claimable: database.prepare<[number], ClaimedRow>(CLAIMABLE),
  claim: database.prepare(CLAIM),
  owned: database.prepare<[string, string]>(OWNED),
  beat: database.prepare(BEAT),
  end: database.prepare(END),
}));

/** SQLite makes NULL of what is added to NULL: such a lease has no end. */
function finiteOrNull(milliseconds: number): number | null {
  return Number.isFinite(milliseconds) ? milliseconds : null;
}

/** Replaces the tasks of a run, and lets those start that may. */
function writeTasks(
  database: Database,
  run: RunId,
  tasks: readonly NewTask[],
  finished: ReadonlyMap<string, TaskState>,
): { readonly rows: TaskRows; readonly ready: TaskRunId[] } {
  const rows = new TaskRows(database, run);
  return { rows, ready: start(rows, rows.write(tasks, finished)) };
}

/**
 * Lets these tasks start that may.
 *
 * @param ended the task that all of them need and that has ended. Default: any of their needs may have
 */
function start(rows: TaskRows, ids: readonly string[], ended?: string): TaskRunId[] {
  if (ids.length === 0) return [];
  const changes = settle(rows, ids, rows.stop, ended);
  return changes.flatMap(({ id, state }) => (state === "ready" ? rows.taskRunId(id) : []));
}

/** @param status how the task has ended, or `waiting` for its next attempt */
function endRow(
  database: Database,
  { id, token }: Lease,
  state: TaskEnd | "waiting",
  result: object,
  dueAt: number | null,
): boolean {
  return statementsOf(database).end.run(state, JSON.stringify(result), dueAt, Number(id), token).changes > 0;
}

/** Ends a task, and decides about the tasks that need it. Returns the tasks that may start; null for a lost lease. */
function end(
  database: Database,
  lease: Lease,
  status: TaskEnd,
  result: object,
  kept: KeptValue | undefined,
): TaskRunId[] | null {
  if (!endRow(database, lease, status, result, null)) return null;
  if (kept !== undefined) insertKept(database, lease.run, kept);
  const { id, run, task } = lease;
  const rows = new TaskRows(database, run, { number: Number(id), task, state: status });
  return settleAfter(database, rows, run, task, status);
}

function settleAfter(database: Database, rows: TaskRows, run: RunId, task: string, status: TaskEnd): TaskRunId[] {
  const stop = stopAfter(status === "failed" ? rows.task(task) : undefined, status);
  if (stop === null) return start(rows, rows.dependents(task), task);
  database.prepare(STOP).run(stop, run);
  return start(rows, rows.ids());
}

/** What becomes of a task whose worker was lost. */
function giveUpLease(database: Database, { number, run, task, attempt }: OverRow): TaskRunId[] {
  const rows = new TaskRows(database, run);
  const { isRepeatable = false, maxAttempts = 0 } = rows.task(task) ?? {};
  const isTriedAgain = isRepeatable && attempt < maxAttempts;
  rows.set(task, isTriedAgain ? "blocked" : "failed");
  if (isTriedAgain) return start(rows, [task]);
  const result = JSON.stringify({ status: "failed", error: OUTCOME_UNKNOWN });
  database.prepare("UPDATE task_runs SET result = ? WHERE number = ?").run(result, number);
  return settleAfter(database, rows, run, task, "failed");
}

/** @returns null if there is no such run */
function stateInDatabase(database: Database, run: RunId): ReturnType<typeof statusOf> | null {
  const found = findState(database, run);
  return found === undefined ? null : statusOf(found);
}

/** @throws AutokestraError `RUN_ENDED` */
function checkQueued(database: Database, { id, fromQueue = false }: Pick<NewRun, "id" | "fromQueue">): void {
  if (fromQueue && findMine(database, id) === null)
    throw runEnded(`Run ${id} was cancelled before it began, or another process has it`, "ended");
}

/** @throws AutokestraError `RUN_NOT_FOUND`, `RUN_ACTIVE`, `RUN_NOT_RESUMABLE` */
function checkResumable(database: Database, { id, after, force = false }: ResumedRun): void {
  const found = findState(database, id);
  if (found === undefined) throw runNotFound(id);
  const state = statusOf(found);
  if (state === "running" || found.attempt !== after) throw runActive(id, "running");
  if (state === "unknown" && !force) throw runActive(id, "unknown");
  if (found.status === "success") throw hasSucceeded(id);
}

function runActive(run: RunId, reason: "running" | "unknown"): AutokestraError {
  const how = reason === "running" ? "is running" : "was started on another host, where it may still be running";
  return new AutokestraError("RUN_ACTIVE", `Run ${run} ${how}`, { details: { reason } });
}

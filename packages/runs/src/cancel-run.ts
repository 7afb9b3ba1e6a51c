import { AutokestraError } from "@autokestra/secrets-core";
import type { Database } from "@autokestra/sqlite";
import { z } from "zod";
import type { CancelReason } from "./events.ts";
import type { Ownership, RunId } from "./ledger.ts";
import type { RunStatus } from "./process.ts";
import { findQueued, type QueuedRun, removeQueued } from "./queued-runs.ts";
import { insertEvents } from "./recorded-events.ts";
import { PROCESS, runNotFound, type StoredProcess, type StoredStatus, statusOf } from "./records.ts";
import { TaskRows } from "./task-rows.ts";
import { settle } from "./task-states.ts";

/** A run as its row says. */
export interface StoredState extends StoredProcess {
  readonly status: StoredStatus;
  readonly attempt: number;
  readonly token: string | null;
}

export function findState(database: Database, run: RunId): StoredState | undefined {
  const sql = `SELECT status, attempt, token, ${PROCESS} FROM run_records WHERE id = ?`;
  return database.prepare<[string], StoredState>(sql).get(run);
}

const CANCEL = `
  UPDATE run_records SET stop = 'cancelled', stop_reason = ?
  WHERE id = ? AND status = 'running' AND stop IS NOT 'cancelled'
`;
const CREATE_ENDED = `
  INSERT INTO run_records (id, workflow, file, status, started_at, masked) VALUES (?, ?, ?, 'running', ?, '{}')
`;

/** Use it within a transaction. @throws AutokestraError `RUN_NOT_FOUND`, `RUN_ENDED` */
export function cancelRun(database: Database, id: RunId, reason: CancelReason): RunStatus {
  const queued = findQueued(database, id);
  const found = findState(database, id);
  if (queued !== null) {
    removeQueued(database, id);
    if (found === undefined) recordUnstarted(database, queued, reason);
    return found === undefined ? "cancelled" : statusOf(found);
  }
  if (found === undefined) throw runNotFound(id);
  if (found.status !== "running") throw runEnded(`Run ${id} has ended`, "ended");
  const state = statusOf(found);
  const rows = new TaskRows(database, id);
  const tasks = rows.ids();
  if (found.token !== null && state === "lost")
    throw runEnded(`Run ${id} is lost: its process no longer runs, and nothing of it goes on`, "lost");
  // Tasks without an owner of their run are those of workers, which hear of it with their next heartbeat.
  if (found.token === null && tasks.length === 0)
    throw runEnded(`Run ${id} cannot be cancelled from here: what runs it only records it`, "recorded");
  if (database.prepare(CANCEL).run(reason, id).changes > 0) settle(rows, tasks, "cancelled");
  return state;
}

/** Where a process that cancels its own run has written so, there is no reason. */
const OWNED = "SELECT iif(stop = 'cancelled', stop_reason, NULL) AS reason FROM run_records WHERE id = ? AND token = ?";

const ownedSchema = z.object({ reason: z.enum(["user", "shutdown", "superseded"]).nullable() });

/** Of a run that no process owns, or another one. */
export const GONE: Ownership = { isHeld: false, cancelledBy: null };

export function readOwnership(database: Database, run: RunId, token: string): Ownership {
  const row = database.prepare<[string, string]>(OWNED).get(run, token);
  return row === undefined ? GONE : { isHeld: true, cancelledBy: ownedSchema.parse(row).reason };
}

/** A run that has not begun has no other record. */
function recordUnstarted(database: Database, { id, workflow, file }: QueuedRun, by: CancelReason): void {
  const time = new Date().toISOString();
  database.prepare(CREATE_ENDED).run(id, workflow, file, time);
  const base = { time, level: "info", execution: id } as const;
  insertEvents(database, id, [
    { ...base, event: "run.started", workflow, message: `workflow ${workflow}` },
    { ...base, event: "run.warning", message: `cancelled before it began (${by})` },
    { ...base, event: "run.finished", status: "cancelled", cancelledBy: by, durationMs: 0, tasks: {}, masked: {} },
  ]);
}

/** @param reason what a person can do depends on it */
export function runEnded(message: string, reason: "ended" | "lost" | "recorded"): AutokestraError {
  return new AutokestraError("RUN_ENDED", message, { details: { reason } });
}

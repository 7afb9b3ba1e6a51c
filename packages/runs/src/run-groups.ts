import { AutokestraError } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";
import type { Database } from "@autokestra/sqlite";
import { cancelRun } from "./cancel-run.ts";
import type { ClaimedRequest } from "./claims.ts";
import type { RunId } from "./ledger.ts";
import { processColumns, thisProcess } from "./process.ts";
import { addQueued, findMine, MINE, type QueuedRun, type RunGroup, type Turn } from "./queued-runs.ts";
import { isAlive, PROCESS, type StoredProcess } from "./records.ts";
import { NOW } from "./task-rows.ts";

interface Member extends StoredProcess {
  readonly id: RunId;
  /** The place in the queue; null for a running one. */
  readonly number: number | null;
  readonly isStarting: number;
  readonly status: "running";
  readonly isFresh: number;
}

/** First the running ones. A run whose process was lost does not hold its group. */
const MEMBERS = `
  SELECT id, NULL AS number, 0 AS isStarting, status, held_until > ${NOW} AS isFresh, ${PROCESS}
  FROM run_records WHERE concurrency_group = @group AND status = 'running'
  UNION ALL
  SELECT run_id, number, is_starting, 'running', until > ${NOW}, ${PROCESS} FROM queued_runs WHERE concurrency_group = @group
`;

/** Running and waiting runs, except those of lost processes. */
function members(database: Database, group: string): readonly Member[] {
  return database.prepare<[object], Member>(MEMBERS).all({ group }).filter(isAlive);
}

/**
 * Adds a run to the queue. Use it within a transaction, as all of these.
 *
 * @returns as {@link addQueued}, and whether others were cancelled for it
 * @throws AutokestraError `RUN_LEFT_OUT`, `IDEMPOTENCY_KEY_REUSED`
 */
export function addToGroup(
  database: Database,
  run: Parameters<typeof addQueued>[1],
  key: string | undefined,
  group: RunGroup | undefined,
  request?: ClaimedRequest,
): [owner: RunId, hasCancelled: boolean] {
  const owner = addQueued(database, run, key, group?.name ?? null, request);
  return [owner, owner === run.id && group !== undefined && makeWay(database, run, group)];
}

function makeWay(database: Database, { id, workflow }: QueuedRun, { name, busy }: RunGroup): boolean {
  if (busy === "queue") return false;
  const others = members(database, name).filter((member) => member.id !== id);
  if (others.length > 0 && busy === "skip") throw leftOut(workflow);
  for (const other of others) cancelRun(database, other.id, "superseded");
  return others.length > 0;
}

/** Lets a run begin if it is its turn: nobody else of its group can then, until it has ended or is lost. */
export function takeTurn(database: Database, id: RunId): Turn {
  const mine = findMine(database, id);
  if (mine === null) return "gone";
  const { number, group } = mine;
  if (group === null) return "begin";
  const isBefore = (other: Member) => other.number === null || other.isStarting === 1 || other.number < number;
  if (members(database, group).some((other) => other.id !== id && isBefore(other))) return "busy";
  database.prepare("UPDATE queued_runs SET is_starting = 1 WHERE run_id = ?").run(id);
  return "begin";
}

/** A run of this process has its group no longer, also where its end could not be recorded. */
export function leaveGroup(database: Database, id: RunId): void {
  const sql = `UPDATE run_records SET concurrency_group = NULL WHERE id = ? AND status = 'running' AND ${MINE}`;
  database.prepare(sql).run(id, ...processColumns(thisProcess()));
}

function leftOut(workflow: string): AutokestraError {
  const message = `Workflow '${quoteText(workflow)}' was not started: another run of its group is running`;
  return new AutokestraError("RUN_LEFT_OUT", message);
}

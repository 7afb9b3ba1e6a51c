import type { Database } from "@autokestra/sqlite";
import type { RunId } from "./ledger.ts";

/** What several servers over one history agree on: which times of schedules have been acted on. */
export interface RunClaims {
  /** Claims a time of a workflow, and all times before it. If several servers claim the same one, one gets true. */
  take(workflow: string, time: Date): Promise<boolean>;
  /** The last time that was taken; null for a workflow that never had one. */
  last(workflow: string): Promise<Date | null>;
}

const KEPT_MS = 24 * 3_600_000;

/**
 * Gives a key to a run, for 24 hours. Use it within a transaction, as all of these.
 *
 * @returns the run that has the key: this one, unless another one had it before
 */
export function claim(database: Database, key: string, runId: RunId): RunId {
  const now = Date.now();
  // What lies further ahead was claimed by a clock that was wrong.
  const expired = "DELETE FROM run_claims WHERE claimed_at NOT BETWEEN ? AND ?";
  database.prepare<[number, number]>(expired).run(now - KEPT_MS, now + KEPT_MS);
  database.prepare("INSERT OR IGNORE INTO run_claims VALUES (?, ?, ?)").run(key, runId, now);
  const owner = database.prepare<[string], string>("SELECT run_id FROM run_claims WHERE key = ?").pluck().get(key);
  return owner ?? runId;
}

/** The run was not started after all: its key is free again. */
export function release(database: Database, key: string, runId: RunId): void {
  database.prepare("DELETE FROM run_claims WHERE key = ? AND run_id = ?").run(key, runId);
}

/** A time that far ahead was taken by a clock that was wrong: it must not keep a schedule from all times until then. */
const AHEAD_MS = 3_600_000;

export function takeTime(database: Database, workflow: string, time: Date): boolean {
  const sql = `
    INSERT INTO schedule_times VALUES (?, ?)
    ON CONFLICT (workflow) DO UPDATE SET last = excluded.last WHERE excluded.last > last OR last > ?`;
  return database.prepare(sql).run(workflow, time.getTime(), Date.now() + AHEAD_MS).changes > 0;
}

export function lastTime(database: Database, workflow: string): Date | null {
  const sql = "SELECT last FROM schedule_times WHERE workflow = ?";
  const last = database.prepare<[string], number>(sql).pluck().get(workflow);
  return last === undefined ? null : new Date(last);
}

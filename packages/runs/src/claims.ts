import { AutokestraError } from "@autokestra/secrets-core";
import type { Database } from "@autokestra/sqlite";
import type { RunId } from "./ledger.ts";

/** What several servers over one history agree on: which times of schedules have been acted on. */
export interface RunClaims {
  /** Claims a time of a workflow, and all times before it. If several servers claim the same one, one gets true. */
  take(workflow: string, time: Date): Promise<boolean>;
  /** The last time that was taken; null for a workflow that never had one. */
  last(workflow: string): Promise<Date | null>;
}

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** A key names a request that was another one. */
    IDEMPOTENCY_KEY_REUSED: object;
  }
}

/** What a client has asked for, under a key of its own: another request with the same key is refused. */
export interface ClaimedRequest {
  /** It names the request, whatever that asks for. */
  readonly key: string;
  /** What only the same request has. It tells nothing of the inputs, unless somebody has the key of the secrets. */
  readonly content: string;
}

const KEPT_MS = 24 * 3_600_000;

/** Behind a key stands what was asked for. No key has a blank at its end. */
function rangeOf({ key }: ClaimedRequest): [from: string, to: string] {
  return [`${key} `, `${key}!`];
}

/**
 * Gives a key to a run, for 24 hours. Use it within a transaction, as all of these.
 *
 * @param request what the run was asked for with; then its own key counts, and `key` only where a run has it already
 * @returns the run that has the key: this one, unless another one had it before
 * @throws AutokestraError `IDEMPOTENCY_KEY_REUSED` if that was asked for with another request
 */
export function claim(database: Database, key: string, runId: RunId, request?: ClaimedRequest): RunId {
  const now = Date.now();
  // What lies further ahead was claimed by a clock that was wrong.
  const expired = "DELETE FROM run_claims WHERE claimed_at NOT BETWEEN ? AND ?";
  database.prepare<[number, number]>(expired).run(now - KEPT_MS, now + KEPT_MS);
  const owner = database.prepare<[string], string>("SELECT run_id FROM run_claims WHERE key = ?").pluck().get(key);
  if (owner !== undefined) return owner;
  const claimed = request === undefined ? key : `${request.key} ${request.content}`;
  if (request !== undefined) {
    const select = "SELECT key, run_id AS run FROM run_claims WHERE key >= ? AND key < ?";
    const row = database.prepare<[string, string], { key: string; run: string }>(select).get(...rangeOf(request));
    if (row !== undefined && row.key !== claimed) throw keyReused();
    if (row !== undefined) return row.run;
  }
  database.prepare("INSERT INTO run_claims VALUES (?, ?, ?)").run(claimed, runId, now);
  return runId;
}

function keyReused(): AutokestraError {
  const message = "The idempotency key was used for another request, and names the run of that one";
  const hint = "Use a new key for each request, and the same one only to send the same request again.";
  return new AutokestraError("IDEMPOTENCY_KEY_REUSED", message, { hint });
}

/** The run was not started after all: its key is free again. */
export function release(database: Database, key: string, runId: RunId, request?: ClaimedRequest): void {
  const sql = "DELETE FROM run_claims WHERE (key = ? OR key >= ? AND key < ?) AND run_id = ?";
  database.prepare(sql).run(key, ...(request === undefined ? [key, key] : rangeOf(request)), runId);
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

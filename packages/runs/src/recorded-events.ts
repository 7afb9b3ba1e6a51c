import type { Database } from "@autokestra/sqlite";
import { type RunEvent, type RunFinished, toJson } from "./events.ts";
import { wipeKept } from "./kept.ts";
import { perDatabase } from "./per-database.ts";

const NEXT = "SELECT coalesce(max(position) + 1, 0) FROM run_events WHERE run_id = ?";
const EVENT = "INSERT INTO run_events (run_id, position, event) VALUES (?, ?, ?)";
const FINISH = `
  UPDATE run_records SET status = ?, cancelled_by = ?, finished_at = ?, duration_ms = ?, masked = ? WHERE id = ?
`;

const statementsOf = perDatabase((database) => ({
  next: database.prepare<[string], number>(NEXT).pluck(),
  add: database.prepare<[string, number, string]>(EVENT),
  finish: database.prepare(FINISH),
}));

/** An event as it is written. */
export interface EventText {
  readonly json: string;
  /** The event itself if it is the last one of the run, otherwise null. */
  readonly finished: RunFinished | null;
}

/** Adds events to a run. Returns whether something that was kept had to be overwritten. */
export function insertEvents(database: Database, run: string, events: readonly RunEvent[]): boolean {
  return insertTexts(database, run, events.map(toText));
}

export function toText(event: RunEvent): EventText {
  return { json: toJson(event), finished: event.event === "run.finished" ? event : null };
}

/** The same with events that are texts already. */
export function insertTexts(database: Database, run: string, events: readonly EventText[]): boolean {
  const { next, add, finish } = statementsOf(database);
  const position = next.get(run) ?? 0;
  let hasWiped = false;
  for (const [index, { json, finished }] of events.entries()) {
    add.run(run, position + index, json);
    if (finished === null) continue;
    finish.run(...finishedColumns(finished), run);
    if (finished.status === "success") hasWiped = wipeKept(database, run);
  }
  return hasWiped;
}

function finishedColumns({ status, cancelledBy, time, durationMs, masked }: RunFinished): (string | number | null)[] {
  const by = status === "cancelled" ? (cancelledBy ?? "user") : null;
  return [status, by, time, durationMs, JSON.stringify(masked)];
}

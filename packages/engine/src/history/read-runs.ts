import type { RunEvent } from "../run/run-event.ts";
import type { HistoryDatabase } from "./history-database.ts";
import type { RunFilter, RunSummary } from "./run-history.ts";
import { parseEvent, parseSummary } from "./stored-run.ts";

const LIST = `
  SELECT execution, workflow, status, started_at AS startedAt, finished_at AS finishedAt, duration_ms AS durationMs, masked
  FROM runs
  WHERE (@workflow IS NULL OR workflow = @workflow) AND (@status IS NULL OR status = @status)
  ORDER BY rowid DESC LIMIT @limit
`;
const EVENTS = "SELECT event FROM events WHERE execution = ? ORDER BY position";

/** The newest first. */
export function listRuns(database: HistoryDatabase, filter: RunFilter): readonly RunSummary[] {
  const { workflow = null, status = null, limit = 50 } = filter;
  const parameters = { workflow, status, limit };
  return database.prepare(LIST).all(parameters).map(parseSummary);
}

/** All events of a run, in their order; none where there is no such run. */
export function readEvents(database: HistoryDatabase, execution: string): readonly RunEvent[] {
  return database.prepare(EVENTS).pluck().all(execution).map(parseEvent);
}

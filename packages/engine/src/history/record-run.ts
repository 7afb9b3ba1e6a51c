import type { RunEvent, RunFinished, RunSink } from "../run/run-event.ts";
import type { HistoryDatabase } from "./history-database.ts";

const BEGIN = `
  INSERT INTO runs (execution, workflow, status, started_at, masked) VALUES (?, ?, 'unfinished', ?, '{}')
`;
const TRIM = `
  DELETE FROM runs WHERE execution IN (SELECT execution FROM runs ORDER BY started_at DESC LIMIT -1 OFFSET ?)
`;
const EVENT = `
  INSERT INTO events (execution, position, event) VALUES (?, ?, ?)
`;
const FINISH = `
  UPDATE runs SET status = ?, finished_at = ?, duration_ms = ?, masked = ? WHERE execution = ?
`;

/**
 * Writes the events of one run. Its first one begins the run, and removes what is older than the runs to keep; its last one ends
 * it.
 */
export function createRecorder(database: HistoryDatabase, workflow: string, keepRuns: number): RunSink {
  const [begin, trim, addEvent, finish] = [BEGIN, TRIM, EVENT, FINISH].map((sql) => database.prepare(sql));
  let position = 0;

  const write = database.transaction((event: RunEvent) => {
    if (position === 0) {
      begin?.run(event.execution, workflow, event.time);
      trim?.run(keepRuns);
    }
    addEvent?.run(event.execution, position, JSON.stringify(event));
    if (event.event === "run.finished") finish?.run(...finishedRow(event));
  });

  return (event) => {
    write.immediate(event);
    position += 1;
  };
}

function finishedRow({ status, time, durationMs, masked, execution }: RunFinished) {
  return [status, time, durationMs, JSON.stringify(masked), execution];
}

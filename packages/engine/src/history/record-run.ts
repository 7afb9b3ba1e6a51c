import type { RunEvent, RunFinished, RunSink } from "../run/run-event.ts";
import type { HistoryDatabase } from "./history-database.ts";

/** So many runs are kept, those that began last. */
const KEPT_RUNS = 1000;

const BEGIN = `
  INSERT INTO runs (execution, workflow, status, started_at, masked) VALUES (?, ?, 'unfinished', ?, '{}')
`;
// By the order in which they were recorded: a clock can be set back.
const TRIM = "DELETE FROM runs WHERE rowid <= (SELECT rowid FROM runs ORDER BY rowid DESC LIMIT 1 OFFSET ?)";
const EVENT = "INSERT INTO events (execution, position, event) VALUES (?, ?, ?)";
const FINISH = "UPDATE runs SET status = ?, finished_at = ?, duration_ms = ?, masked = ? WHERE execution = ?";

/**
 * Writes the events of one run. Its first one begins the run, and removes what is older than the runs to keep; its last one ends
 * it.
 */
export function createRecorder(database: HistoryDatabase): RunSink {
  const begin = database.prepare<[string, string, string]>(BEGIN);
  const trim = database.prepare<[number]>(TRIM);
  const add = database.prepare<[string, number, string]>(EVENT);
  const finish = database.prepare<[string, string, number, string, string]>(FINISH);
  let position = 0;

  const write = database.transaction((event: RunEvent) => {
    if (position === 0) {
      begin.run(event.execution, workflowOf(event), event.time);
      trim.run(KEPT_RUNS);
    }
    add.run(event.execution, position, JSON.stringify(event));
    if (event.event === "run.finished") finish.run(...finishedRow(event));
  });

  return (event) => {
    write.immediate(event);
    position += 1;
  };
}

/** From the message: there it is masked. */
function workflowOf(event: RunEvent): string {
  return event.event === "run.started" ? event.message.replace(/^workflow /, "") : "";
}

function finishedRow(event: RunFinished): [string, string, number, string, string] {
  const { status, time, durationMs, masked, execution } = event;
  return [status, time, durationMs, JSON.stringify(masked), execution];
}

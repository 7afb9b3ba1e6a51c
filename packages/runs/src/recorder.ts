import type { Database } from "@autokestra/sqlite";
import type { RunEvent, RunSink } from "./events.ts";
import { LogLimit } from "./log-limit.ts";
import { perDatabase } from "./per-database.ts";
import { processColumns, thisProcess } from "./process.ts";
import { removeQueued } from "./queued-runs.ts";
import { type EventText, insertTexts, toText } from "./recorded-events.ts";
import { type KeptRuns, trimRuns } from "./records.ts";
import type { Write, WriteQueue } from "./write-queue.ts";

/**
 * The maximum amount of JSON of one run that waits for a lock, in characters. Beyond it, the oldest log lines are
 * dropped.
 */
const MAX_BUFFERED = 64 * 1024 * 1024;
/** The maximum amount of JSON in one transaction, in characters, because the event loop waits for it. */
const MAX_BATCH = 1024 * 1024;

const BEGIN = `
  INSERT INTO run_records (id, workflow, status, started_at, masked, pid, process_start, host, boot_id)
  VALUES (?, ?, 'running', ?, '{}', ?, ?, ?, ?)
  ON CONFLICT (id) DO NOTHING
`;
const RECORDED = `
  SELECT coalesce(sum(octet_length(event)), 0) FROM run_events WHERE run_id = ? AND json_extract(event, '$.event') = 'task.log'
`;
const OWNER = "SELECT token FROM run_records WHERE id = ?";

const statementsOf = perDatabase((database) => ({
  begin: database.prepare(BEGIN),
  recorded: database.prepare<[string], number>(RECORDED).pluck(),
  owner: database.prepare<[string], string | null>(OWNER).pluck(),
}));

/** What the recorders of one history share. */
export interface RecorderContext {
  readonly queue: WriteQueue;
  /** Which runs stay when a run begins. */
  readonly keep: KeptRuns;
}

/** @param unwritten how many events were not written, including those that waited for a lock */
type OnFailure = (error: unknown, unwritten: number) => void;

/** The error for a process that another one has replaced. */
export class RunTakenError extends Error {}

/**
 * Creates a sink that records one run. The first and the last event are on the disk when it returns, the others at the
 * end of the turn of the event loop. While another program has locked the database, it buffers events and writes them
 * later.
 *
 * @param onFailure called once; no event is recorded from then on
 * @param token what the owner of the run writes with; null for a run without one
 */
export function createRecorder(context: RecorderContext, onFailure: OnFailure, token: string | null = null): RunSink {
  let record: RunSink | null = null;
  return (event) => {
    record ??= createRunSink(context, event, onFailure, token);
    record(event);
  };
}

function createRunSink(
  { queue, keep }: RecorderContext,
  first: RunEvent,
  onFailure: OnFailure,
  token: string | null,
): RunSink {
  const runId = first.execution;
  const buffer = createEventBuffer(runId);
  const limit = new LogLimit(keep.logMiB);
  let isBegun = false;
  let isQueued = false;
  let hasFailed = false;

  function add(event: RunEvent): void {
    const buffered = toBuffered(event);
    const { isRecorded, warning } = limit.take(buffered);
    if (warning !== undefined) buffer.add(toBuffered(warningOf(runId, warning)));
    if (isRecorded) buffer.add(buffered);
  }

  /** Writes what fits in one transaction. */
  const write: Write<{ readonly count: number; readonly hasWiped: boolean }> = {
    work(database) {
      const batch = buffer.nextBatch();
      if (!isBegun) limit.before = begin(database, first, keep);
      if (statementsOf(database).owner.get(runId) !== token) throw new RunTakenError();
      return { count: batch.length, hasWiped: insertTexts(database, runId, batch) };
    },
    done({ count, hasWiped }) {
      isBegun = true;
      isQueued = false;
      buffer.remove(count);
      if (hasWiped) queue.checkpoint();
      if (buffer.size() > 0) enqueue();
    },
    failed(error) {
      hasFailed = true;
      const unwritten = buffer.size();
      buffer.remove(unwritten);
      onFailure(error, unwritten);
    },
  };

  function enqueue(): void {
    isQueued = true;
    queue.add(write);
  }

  return (event) => {
    if (hasFailed) return;
    const last = event.event === "run.finished" ? limit.end() : null;
    if (last !== null) buffer.add(toBuffered(warningOf(runId, last)));
    add(event);
    if (!isQueued && buffer.size() > 0) enqueue();
    // The process may end with the last one, and the caller learns at once if a new run is not recorded.
    if (!isBegun || event.event === "run.finished") queue.flush();
  };
}

/** Records that a run begins or goes on. Returns how much of its log earlier attempts have recorded, in bytes. */
function begin(database: Database, first: RunEvent, keep: KeptRuns): number {
  const statements = statementsOf(database);
  const workflow = first.event === "run.started" ? first.workflow : "";
  statements.begin.run(first.execution, workflow, first.time, ...processColumns(thisProcess()));
  removeQueued(database, first.execution);
  trimRuns(database, keep);
  return statements.recorded.get(first.execution) ?? 0;
}

/** An event that is not written yet. */
interface BufferedEvent extends EventText {
  /** The number of log lines that this event is or replaces; 0 for an event that is never dropped. */
  readonly lines: number;
}

/** The events of a run that are not written yet, in their order. */
interface EventBuffer {
  size(): number;
  add(event: BufferedEvent): void;
  /** The oldest events, as many as fit in one transaction; empty only if there are none. */
  nextBatch(): readonly BufferedEvent[];
  /** Removes the oldest `count` events. */
  remove(count: number): void;
}

function createEventBuffer(runId: string): EventBuffer {
  let events: BufferedEvent[] = [];
  let characters = 0;
  return {
    size: () => events.length,
    add(event) {
      events.push(event);
      characters += event.json.length;
      if (characters <= MAX_BUFFERED) return;
      // Half of the buffer is cleared, so that the next event does not fill it again at once.
      events = dropOldestLines(events, characters - MAX_BUFFERED / 2, runId);
      characters = countCharacters(events);
    },
    nextBatch() {
      let count = 0;
      for (let size = 0; count < events.length && size < MAX_BATCH; count++) size += events[count]?.json.length ?? 0;
      return events.slice(0, count);
    },
    remove(count) {
      characters -= countCharacters(events.splice(0, count));
    },
  };
}

function toBuffered(event: RunEvent): BufferedEvent {
  return { ...toText(event), lines: event.event === "task.log" ? 1 : 0 };
}

function countCharacters(events: readonly BufferedEvent[]): number {
  return events.reduce((sum, { json }) => sum + json.length, 0);
}

/**
 * Drops log lines of at least `characters`. A warning replaces the first one and counts the lines of earlier warnings.
 */
function dropOldestLines(events: readonly BufferedEvent[], characters: number, runId: string): BufferedEvent[] {
  const kept: BufferedEvent[] = [];
  let place = 0;
  let dropped = 0;
  let excess = characters;
  for (const event of events) {
    if (event.lines === 0 || excess <= 0) kept.push(event);
    else {
      if (dropped === 0) place = kept.length;
      dropped += event.lines;
      excess -= event.json.length;
    }
  }
  if (dropped === 0) return kept;
  const message = `${dropped} log lines were not recorded: the run history was locked`;
  return kept.toSpliced(place, 0, { ...toBuffered(warningOf(runId, message)), lines: dropped });
}

function warningOf(runId: string, message: string): RunEvent {
  return { time: new Date().toISOString(), level: "warn", event: "run.warning", execution: runId, message };
}

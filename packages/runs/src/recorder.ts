import { setImmediate } from "node:timers/promises";
import { type Database, isBusy, retryWhileBusy } from "@autokestra/sqlite";
import { type RunEvent, type RunFinished, type RunSink, toJson } from "./events.ts";
import { thisProcess } from "./process.ts";
import { trimRuns } from "./records.ts";

/** The longest pause between two attempts to use a locked history, in milliseconds. */
export const MAX_PAUSE_MS = 50;

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
`;
const EVENT = "INSERT INTO run_events (run_id, position, event) VALUES (?, ?, ?)";
const FINISH = `
  UPDATE run_records SET status = ?, cancelled_by = ?, finished_at = ?, duration_ms = ?, masked = ? WHERE id = ?
`;

/** What the recorders of one history share. */
export interface RecorderContext {
  /** Opens the database or returns the open one. Throws if it cannot be written to. */
  readonly forWrite: () => Database;
  /** Recorders that wait for a lock. Each promise settles when everything is written or the recorder has given up. */
  readonly waiting: Set<Promise<void>>;
  /** The time to give up at, on the clock of `performance.now()`. */
  readonly giveUpAt: () => number;
}

/** @param unwritten how many events were not written, including those that waited for a lock */
type OnFailure = (error: unknown, unwritten: number) => void;

/**
 * Creates a sink that records one run. It writes each event before it returns. While another program has locked the
 * database, it buffers events and writes them later.
 *
 * @param onFailure called once; no event is recorded from then on
 */
export function createRecorder(context: RecorderContext, onFailure: OnFailure): RunSink {
  let record: RunSink | null = null;
  return (event) => {
    record ??= createRunSink(context, event, onFailure);
    record(event);
  };
}

function createRunSink(context: RecorderContext, first: RunEvent, onFailure: OnFailure): RunSink {
  const buffer = createEventBuffer();
  let write: RunWriter | null = null;
  let isWaiting = false;
  let hasFailed = false;

  function writeBatch(): void {
    const batch = buffer.nextBatch();
    if (batch.length === 0) return;
    const database = context.forWrite();
    write ??= createRunWriter(database, first);
    write(batch);
    buffer.remove(batch.length);
  }

  function fail(error: unknown): void {
    hasFailed = true;
    const unwritten = buffer.size();
    buffer.remove(unwritten);
    onFailure(error, unwritten);
  }

  async function writeOnceUnlocked(): Promise<void> {
    isWaiting = true;
    try {
      while (buffer.size() > 0) {
        await retryWhileBusy(writeBatch, { giveUpAt: context.giveUpAt, maxPauseMs: MAX_PAUSE_MS });
        // The tasks of the run get a turn between two batches.
        await setImmediate();
      }
    } catch (error) {
      fail(error);
    }
    isWaiting = false;
  }

  return (event) => {
    if (hasFailed) return;
    try {
      buffer.add(event);
      if (!isWaiting) writeBatch();
    } catch (error) {
      if (!isBusy(error)) return fail(error);
      const written = writeOnceUnlocked().finally(() => context.waiting.delete(written));
      context.waiting.add(written);
    }
  };
}

type RunWriter = (batch: readonly BufferedEvent[]) => void;

/** Writes the events of one run. The first one adds the run and trims the history. */
function createRunWriter(database: Database, first: RunEvent): RunWriter {
  const runId = first.execution;
  const begin = database.prepare(BEGIN);
  const add = database.prepare<[string, number, string]>(EVENT);
  const finish = database.prepare(FINISH);
  let written = 0;

  function write(batch: readonly BufferedEvent[]): void {
    if (written === 0) {
      const { pid, startTime, host, bootId } = thisProcess();
      begin.run(runId, first.event === "run.started" ? first.workflow : "", first.time, pid, startTime, host, bootId);
      trimRuns(database);
    }
    for (const [index, { json, finished }] of batch.entries()) {
      add.run(runId, written + index, json);
      if (finished !== null) finish.run(...finishedColumns(finished), runId);
    }
  }

  return (batch) => {
    database.immediate(() => write(batch));
    written += batch.length;
  };
}

function finishedColumns({ status, cancelledBy, time, durationMs, masked }: RunFinished): (string | number | null)[] {
  const by = status === "cancelled" ? (cancelledBy ?? "user") : null;
  return [status, by, time, durationMs, JSON.stringify(masked)];
}

/** An event that is not written yet. */
interface BufferedEvent {
  readonly json: string;
  /** The number of log lines that this event is or replaces; 0 for an event that is never dropped. */
  readonly lines: number;
  /** The event itself if it is the last one of the run, otherwise null. */
  readonly finished: RunFinished | null;
}

/** The events of a run that are not written yet, in their order. */
interface EventBuffer {
  size(): number;
  add(event: RunEvent): void;
  /** The oldest events, as many as fit in one transaction; empty only if there are none. */
  nextBatch(): readonly BufferedEvent[];
  /** Removes the oldest `count` events. */
  remove(count: number): void;
}

function createEventBuffer(): EventBuffer {
  let events: BufferedEvent[] = [];
  let characters = 0;
  return {
    size: () => events.length,
    add(event) {
      const buffered = toBuffered(event);
      events.push(buffered);
      characters += buffered.json.length;
      if (characters <= MAX_BUFFERED) return;
      // Half of the buffer is cleared, so that the next event does not fill it again at once.
      events = dropOldestLines(events, characters - MAX_BUFFERED / 2, event.execution);
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
  return {
    json: toJson(event),
    lines: event.event === "task.log" ? 1 : 0,
    finished: event.event === "run.finished" ? event : null,
  };
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
  const warning = {
    time: new Date().toISOString(),
    level: "warn",
    event: "run.warning",
    execution: runId,
    message,
  } as const;
  return kept.toSpliced(place, 0, { ...toBuffered(warning), lines: dropped });
}

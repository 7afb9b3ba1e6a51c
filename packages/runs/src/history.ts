import { resolve } from "node:path";
import { AutokestraError, quoteText } from "@autokestra/secrets-core";
import { after, type Database, retryWhileBusy } from "@autokestra/sqlite";
import type { RunEvent, RunSink } from "./events.ts";
import { createRecorder, MAX_PAUSE_MS, type RecorderContext } from "./recorder.ts";
import { listRuns, type RunFilter, type RunSummary, readEvents } from "./records.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    HISTORY_UNAVAILABLE: object;
    RUN_NOT_FOUND: object;
  }
}

/** How long `list`, `events` and `close` wait while another program has the file locked, in milliseconds. */
const LOCK_TIMEOUT = 5000;

export interface RunHistoryOptions {
  /** The path of the database file; it is made with the first event. */
  readonly path: string;
}

/** Past and running runs with their events, which are masked: a sink sees nothing else. */
export interface RunHistory {
  /**
   * Creates a sink that records one run, for the `sink` of `runWorkflow`. It never throws: a run goes on where it cannot be
   * recorded. The first event creates the history where there is none, and removes finished runs beyond the newest 1 000 runs.
   *
   * While another program has the file locked, events wait in memory and the process stays alive, until they are written or
   * {@link RunHistory.close} gives up. Beyond 64 MiB of JSON the oldest log lines of the run are dropped, and a `run.warning` in
   * the record says how many.
   *
   * @param onFailure called once, with `HISTORY_UNAVAILABLE`; the run is not recorded from then on. It must not throw.
   */
  recorder(onFailure: (error: AutokestraError) => void): RunSink;

  /**
   * Lists runs, the newest first. A history that does not exist is empty.
   *
   * @throws AutokestraError `HISTORY_UNAVAILABLE`; for a locked file, after 5 seconds
   */
  list(filter?: RunFilter): Promise<readonly RunSummary[]>;

  /**
   * All events of a run, in their order.
   *
   * @throws AutokestraError `RUN_NOT_FOUND`, `HISTORY_UNAVAILABLE`
   */
  events(execution: string): Promise<readonly RunEvent[]>;

  /**
   * Closes the file, after waiting up to 5 seconds for events that are not written because of a lock. A recorder that still cannot
   * write them calls its `onFailure`.
   */
  close(): Promise<void>;
}

/**
 * Opens a run history, to record runs or to look at past ones. No file is read or created before it is needed. Call
 * `close` at the end: without it, events that wait for a lock keep the process alive.
 *
 * @example
 * const history = await openRunHistory({ path: ".workflow/runs.db" });
 * await runWorkflow(workflow, { sources, sink: history.recorder((error) => console.warn(error.message)) });
 * console.log(await history.list({ status: "failed" }));
 * await history.close();
 */
export async function openRunHistory({ path }: RunHistoryOptions): Promise<RunHistory> {
  const file = toAbsolute(path);
  const { createConnection, toHistoryError } = await import("./database.ts");
  const connection = await createConnection(file);
  let giveUpAt = Number.POSITIVE_INFINITY;
  const context: RecorderContext = {
    forWrite: () => connection.forWrite(),
    waiting: new Set(),
    giveUpAt: () => giveUpAt,
  };

  async function read<T>(work: (database: Database) => readonly T[]): Promise<readonly T[]> {
    const end = after(LOCK_TIMEOUT);
    const attempt = () => {
      const database = connection.forRead();
      return database === null ? [] : work(database);
    };
    try {
      return await retryWhileBusy(attempt, { giveUpAt: end, maxPauseMs: MAX_PAUSE_MS });
    } catch (error) {
      throw toHistoryError(error, file);
    }
  }

  return {
    recorder: (onFailure) =>
      createRecorder(context, (error, unwritten) => onFailure(toHistoryError(error, file, unwritten))),
    list: async (filter = {}) => await read((database) => listRuns(database, filter)),
    async events(execution) {
      const events = await read((database) => readEvents(database, execution));
      if (events.length === 0) throw runNotFound(execution);
      return events;
    },
    async close() {
      giveUpAt = performance.now() + LOCK_TIMEOUT;
      await Promise.all(context.waiting);
      connection.close();
    },
  };
}

function toAbsolute(path: string): string {
  try {
    return resolve(path);
  } catch {
    // The current folder is not there any more: whoever opens it will say so.
    return path;
  }
}

/** `Run 'ID' not found` */
function runNotFound(execution: string): AutokestraError {
  return new AutokestraError("RUN_NOT_FOUND", `Run '${quoteText(execution)}' not found`);
}

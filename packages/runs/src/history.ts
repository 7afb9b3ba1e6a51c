import { resolve } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";
import { after, type Database, retryWhileBusy } from "@autokestra/sqlite";
import type { RecordedEvent, RunSink } from "./events.ts";
import { createRecorder, MAX_PAUSE_MS, type RecorderContext } from "./recorder.ts";
import { listRuns, type RunFilter, type RunSummary, readEvents } from "./records.ts";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    HISTORY_UNAVAILABLE: object;
    RUN_NOT_FOUND: object;
  }
}

/** How long `list`, `events` and `close` wait for a lock of another program, in milliseconds. */
const LOCK_TIMEOUT = 5000;

/** What {@link openRunHistory} takes. */
export interface RunHistoryOptions {
  /** The path of the database file, which is created with the first event. */
  readonly path: string;
}

/** Running and past runs with their events. Events are masked: no sink gets others. */
export interface RunHistory {
  /**
   * Creates a sink that records one run. It never throws, because a run that cannot be recorded goes on. The first
   * event creates the history if it does not exist, and removes finished runs beyond the newest 1 000.
   *
   * While another program has locked the file, events wait in memory and keep the process alive until they are written
   * or {@link RunHistory.close} gives up. Beyond 64 MiB of JSON, the oldest log lines of the run are dropped, and a
   * `run.warning` in the history says how many.
   *
   * @param onFailure called once with `HISTORY_UNAVAILABLE` when the run cannot be recorded any longer; it must not
   * throw
   */
  recorder(onFailure: (error: AutokestraError) => void): RunSink;

  /**
   * Lists runs, newest first. A history that does not exist yet is empty.
   *
   * @param filter which runs to list. Default: the newest 50
   * @throws AutokestraError `HISTORY_UNAVAILABLE`, also if the file stays locked for 5 seconds
   */
  list(filter?: RunFilter): Promise<readonly RunSummary[]>;

  /**
   * Returns all events of a run, in their order.
   *
   * @param runId the id of the run
   * @throws AutokestraError `RUN_NOT_FOUND`, or `HISTORY_UNAVAILABLE`, also if the file stays locked for 5 seconds
   */
  events(runId: string): Promise<readonly RecordedEvent[]>;

  /**
   * Closes the file. Events that wait for a lock get 5 seconds; a recorder that still cannot write them calls its
   * `onFailure`.
   */
  close(): Promise<void>;
}

/**
 * Opens a run history, to record runs or to read past ones. `openEngine` of `@autokestra/engine` does so for its runs;
 * call this function to record runs of your own, or to read a history without an engine.
 *
 * No file is read or created before it is needed. Call `close` at the end: otherwise, events that wait for a lock keep
 * the process alive.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { openRunHistory } from "@autokestra/runs";
 *
 * const history = await openRunHistory({ path: `${mkdtempSync("/tmp/demo-")}/runs.db` });
 * const record = history.recorder((error) => console.warn(error.message));
 * const run = { execution: crypto.randomUUID(), level: "info", time: new Date().toISOString() } as const;
 * record({ ...run, event: "run.started", workflow: "demo", message: "workflow demo" });
 * record({ ...run, event: "run.finished", status: "success", durationMs: 12, tasks: {}, masked: {} });
 *
 * const [newest] = await history.list({ workflow: "demo", limit: 1 });
 * console.log(newest?.status, (await history.events(run.execution)).length); // success 2
 * await history.close();
 * ```
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
    async events(runId) {
      const events = await read((database) => readEvents(database, runId));
      if (events.length === 0) throw runNotFound(runId);
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
    // The current folder was deleted. Opening the file reports that.
    return path;
  }
}

/** `Run 'ID' not found` */
function runNotFound(runId: string): AutokestraError {
  return new AutokestraError("RUN_NOT_FOUND", `Run '${quoteText(runId)}' not found`);
}

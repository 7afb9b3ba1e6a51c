import { resolve } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { ZodError } from "zod";
import type { RunEvent, RunSink } from "../run/run-event.ts";
import { type HistoryDatabase, openHistoryDatabase } from "./history-database.ts";
import { historyUnavailable, runNotFound } from "./history-error.ts";
import { listRuns, readEvents } from "./read-runs.ts";
import { createRecorder } from "./record-run.ts";
import { KEPT_RUNS, type RunHistory } from "./run-history.ts";

export interface RunHistoryOptions {
  /** A file. Default: `.workflow/runs.db` in the current folder. */
  readonly path?: string | undefined;
  /** How many runs are kept. Default 1 000. */
  readonly keepRuns?: number | undefined;
}

/**
 * Opens the history of the runs of a folder. One that does not exist reads as empty.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where SQLite cannot be used here
 */
export async function openRunHistory({ path, keepRuns = KEPT_RUNS }: RunHistoryOptions = {}): Promise<RunHistory> {
  const file = resolve(path ?? ".workflow/runs.db");
  const { loadSqlite, sqliteObstacle } = await import("@autokestra/secrets-store-sqlite");
  const library = await loadSqlite();
  let database: HistoryDatabase | null = null;

  function attempt<T>(create: boolean, work: (database: HistoryDatabase) => T, absent: T): T {
    try {
      database ??= openHistoryDatabase(library, file, create);
      return database === null ? absent : work(database);
    } catch (error) {
      if (error instanceof AutokestraError) throw error;
      throw historyUnavailable(file, error instanceof ZodError ? "it is damaged" : sqliteObstacle(error, file));
    }
  }

  return {
    recorder(workflow) {
      let record: RunSink | null = null;
      const write = (opened: HistoryDatabase, event: RunEvent) => {
        record ??= createRecorder(opened, workflow, keepRuns);
        record(event);
      };
      return (event) => attempt(true, (opened) => write(opened, event), undefined);
    },
    list: (filter = {}) => attempt(false, (opened) => listRuns(opened, filter), []),
    events(execution) {
      const events = attempt(false, (opened) => readEvents(opened, execution), []);
      if (events.length === 0) throw runNotFound(execution);
      return events;
    },
    close() {
      database?.close();
      database = null;
    },
  };
}

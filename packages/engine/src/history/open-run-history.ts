import { resolve } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { fileIdentity } from "@autokestra/secrets-files";
import { ZodError } from "zod";
import type { RunEvent, RunSink } from "../run/run-event.ts";
import type { HistoryDatabase } from "./history-database.ts";
import { historyUnavailable, runNotFound } from "./history-error.ts";
import { listRuns, readEvents } from "./read-runs.ts";
import { createRecorder } from "./record-run.ts";
import type { RunHistory } from "./run-history.ts";

export interface RunHistoryOptions {
  /** A file. Default: `.workflow/runs.db` in the current folder. */
  readonly path?: string | undefined;
}

/** Opens the history of the runs of a folder. Nothing is read or made before it is needed. */
export async function openRunHistory({ path = ".workflow/runs.db" }: RunHistoryOptions = {}): Promise<RunHistory> {
  const file = toAbsolute(path);
  const { loadSqlite, whyNotOpened } = await import("@autokestra/secrets-store-sqlite");
  const { openHistoryDatabase } = await import("./history-database.ts");
  const [library] = await Promise.allSettled([loadSqlite()]);
  let database: HistoryDatabase | null = null;
  let identity: string | null = null;
  let isOpen = true;

  function toError(error: unknown): AutokestraError {
    if (error instanceof ZodError) return historyUnavailable(file, "it is damaged");
    if (!(error instanceof AutokestraError)) return historyUnavailable(file, whyNotOpened(error, file));
    return error.code === "STORE_UNAVAILABLE" ? historyUnavailable(file, error.message) : error;
  }

  function open(create: boolean): HistoryDatabase | null {
    if (library.status === "rejected") throw library.reason;
    if (!isOpen) throw historyUnavailable(file, "it is closed");
    if (database === null) {
      database = openHistoryDatabase(library.value, file, create);
      identity = fileIdentity(file);
    }
    // SQLite itself would go on writing into a file without a name.
    if (identity !== fileIdentity(file)) throw historyUnavailable(file, "it was moved or removed");
    return database;
  }

  function read<T>(work: (database: HistoryDatabase) => readonly T[]): readonly T[] {
    try {
      const opened = open(false);
      return opened === null ? [] : work(opened);
    } catch (error) {
      throw toError(error);
    }
  }

  return {
    recorder(onFailure) {
      let hasFailed = false;
      let record: RunSink | null = null;
      const write = (event: RunEvent) => {
        const opened = open(true);
        if (opened === null) return;
        record ??= createRecorder(opened);
        record(event);
      };
      return (event) => {
        if (hasFailed) return;
        try {
          write(event);
        } catch (error) {
          hasFailed = true;
          onFailure(toError(error));
        }
      };
    },
    list: (filter = {}) => read((opened) => listRuns(opened, filter)),
    events(execution) {
      const events = read((opened) => readEvents(opened, execution));
      if (events.length === 0) throw runNotFound(execution);
      return events;
    },
    close() {
      isOpen = false;
      database?.close();
    },
  };
}

function toAbsolute(path: string): string {
  try {
    return resolve(path);
  } catch {
    // The current folder is gone: whoever opens it will say so.
    return path;
  }
}

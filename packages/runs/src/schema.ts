import type { Database } from "@autokestra/sqlite";

/** `akrn` in ASCII: marks a database as a run history. See https://sqlite.org/pragma.html#pragma_application_id */
export const APPLICATION_ID = 0x616b726e;
export const SCHEMA_VERSION = 2;

/**
 * `number` orders runs by their start, because clocks can be set back. `status` is written by the run itself, so a
 * killed run stays `running`: `pid` and the columns after it tell whether it still is.
 */
const TABLES = `
  CREATE TABLE run_records (
    number        INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    workflow      TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('running', 'success', 'failed', 'cancelled')),
    cancelled_by  TEXT CHECK (cancelled_by IN ('user', 'timeout', 'shutdown', 'superseded')),
    started_at    TEXT NOT NULL,
    finished_at   TEXT,
    duration_ms   INTEGER,
    masked        TEXT NOT NULL,
    pid           INTEGER CHECK (pid > 0),
    process_start INTEGER,
    host          TEXT,
    boot_id       TEXT,
    CHECK ((status = 'cancelled') = (cancelled_by IS NOT NULL))
  ) STRICT;

  CREATE TABLE run_events (
    run_id   TEXT NOT NULL REFERENCES run_records (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    event    TEXT NOT NULL,
    PRIMARY KEY (run_id, position)
  ) STRICT, WITHOUT ROWID;
`;

/** The rows of version 1 as rows of `run_records`. An unfinished run has no process there, so it counts as lost. */
const RUNS_OF_VERSION_1 = `
  SELECT rowid AS number, execution AS id, workflow, iif(status = 'unfinished', 'running', status) AS status,
    NULL AS cancelled_by, started_at, finished_at, duration_ms, masked,
    NULL AS pid, NULL AS process_start, NULL AS host, NULL AS boot_id
  FROM runs
`;
const EVENTS_OF_VERSION_1 = "SELECT execution AS run_id, position, event FROM events";

/** The tables get new names, so that every statement of an older process fails instead of half working. */
const UPGRADE = `
  ${TABLES}
  INSERT INTO run_records ${RUNS_OF_VERSION_1} ORDER BY rowid;
  INSERT INTO run_events ${EVENTS_OF_VERSION_1};
  DROP TABLE events;
  DROP TABLE runs;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Creates the tables in an empty database. */
export function createSchema(database: Database): void {
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; ${TABLES}`);
}

/** Upgrades a run history of version 1. If several processes do so at once, the first one upgrades it. */
export function upgradeSchema(database: Database): void {
  if (readVersion(database) === SCHEMA_VERSION) return;
  database.immediate(() => {
    if (readVersion(database) === 1) database.exec(UPGRADE);
  });
}

/**
 * Returns what to select from, in every version: it has the columns of `run_records` and `run_events`. Use it within
 * the same transaction, because another process can upgrade the database.
 */
export function readableTables(database: Database): { readonly runs: string; readonly events: string } {
  return readVersion(database) === 1
    ? { runs: `(${RUNS_OF_VERSION_1})`, events: `(${EVENTS_OF_VERSION_1})` }
    : { runs: "run_records", events: "run_events" };
}

export function readVersion(database: Database): number {
  return Number(database.pragma("user_version"));
}

import type { Database } from "@autokestra/sqlite";

/** `akrn` in ASCII: marks a database as a run history. See https://sqlite.org/pragma.html#pragma_application_id */
export const APPLICATION_ID = 0x616b726e;
export const SCHEMA_VERSION = 5;
/** The first version with the tables of the ledger. */
const LEDGER_VERSION = 3;
/** The first one with the queue. */
const QUEUE_VERSION = 4;

/**
 * The tables of version 2, to which {@link LEDGER} adds. `number` orders runs by their start, because clocks can be set back. `status` is written by the run itself, so a
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

/**
 * What version 3 adds. A process of version 2 that still runs keeps recording its run.
 *
 * `token` is what the owner of a run writes with, so that a process that was stopped and replaced changes nothing.
 * `kept` are encrypted values that a run needs to be resumed, until `kept_until` in milliseconds since 1970.
 * `run_claims` and `schedule_times` are what servers agree on. Times are milliseconds since 1970.
 */
const LEDGER = `
  ALTER TABLE run_records ADD COLUMN token TEXT;
  ALTER TABLE run_records ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE run_records ADD COLUMN file TEXT;
  ALTER TABLE run_records ADD COLUMN secrets TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE run_records ADD COLUMN stop TEXT CHECK (stop IN ('failed', 'cancelled'));
  ALTER TABLE run_records ADD COLUMN stop_reason TEXT;
  ALTER TABLE run_records ADD COLUMN kept_until INTEGER;

  CREATE TABLE task_runs (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id      TEXT NOT NULL REFERENCES run_records (id) ON DELETE CASCADE,
    task        TEXT NOT NULL,
    rules       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (
      state IN ('blocked', 'ready', 'running', 'waiting', 'success', 'failed', 'skipped', 'cancelled')
    ),
    attempt     INTEGER NOT NULL DEFAULT 0,
    worker      TEXT,
    lease_token TEXT,
    lease_until INTEGER,
    due_at      INTEGER,
    result      TEXT,
    UNIQUE (run_id, task)
  ) STRICT;
  CREATE INDEX task_runs_leased ON task_runs (lease_until) WHERE lease_until IS NOT NULL;
  CREATE INDEX task_runs_due ON task_runs (due_at) WHERE due_at IS NOT NULL;

  CREATE TABLE task_needs (
    run_id TEXT NOT NULL REFERENCES run_records (id) ON DELETE CASCADE,
    need   TEXT NOT NULL,
    task   TEXT NOT NULL,
    PRIMARY KEY (run_id, need, task)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE kept (
    run_id  TEXT NOT NULL REFERENCES run_records (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL CHECK (kind IN ('start', 'result')),
    task    TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    key_id  TEXT NOT NULL,
    value   BLOB NOT NULL,
    PRIMARY KEY (run_id, kind, task)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX run_records_kept ON run_records (kept_until) WHERE kept_until IS NOT NULL;

  CREATE TABLE run_claims (
    key        TEXT PRIMARY KEY,
    run_id     TEXT NOT NULL,
    claimed_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX run_claims_old ON run_claims (claimed_at);

  CREATE TABLE schedule_times (
    workflow TEXT PRIMARY KEY,
    last     INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/**
 * What version 4 adds: the runs that servers have taken and not begun, with an encrypted `start`, and `until` when another host leaves a
 * run to them, in milliseconds since 1970.
 */
const QUEUE = `
  CREATE TABLE queued_runs (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id        TEXT NOT NULL UNIQUE,
    workflow      TEXT NOT NULL,
    file          TEXT,
    key_id        TEXT,
    start         BLOB,
    until         INTEGER NOT NULL,
    pid           INTEGER NOT NULL CHECK (pid > 0),
    process_start INTEGER,
    host          TEXT NOT NULL,
    boot_id       TEXT
  ) STRICT;
`;

/**
 * What version 5 adds: in which concurrency group a run is. It has the group while it is running, or `is_starting`; `held_until` is as `until`.
 */
const GROUPS = `
  ALTER TABLE run_records ADD COLUMN concurrency_group TEXT;
  ALTER TABLE run_records ADD COLUMN held_until INTEGER;
  ALTER TABLE queued_runs ADD COLUMN concurrency_group TEXT;
  ALTER TABLE queued_runs ADD COLUMN is_starting INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX run_records_group ON run_records (concurrency_group) WHERE concurrency_group IS NOT NULL AND status = 'running';
`;

/** The rows of version 1 as rows of `run_records`. An unfinished run has no process there, so it counts as lost. */
const RUNS_OF_VERSION_1 = `
  SELECT rowid AS number, execution AS id, workflow, iif(status = 'unfinished', 'running', status) AS status,
    NULL AS cancelled_by, started_at, finished_at, duration_ms, masked,
    NULL AS pid, NULL AS process_start, NULL AS host, NULL AS boot_id
  FROM runs
`;
const EVENTS_OF_VERSION_1 = "SELECT execution AS run_id, position, event FROM events";

/** The tables get new names, so that every statement of a process of version 1 fails instead of half working. */
const UPGRADE_FROM_1 = `
  ${TABLES}
  INSERT INTO run_records ${RUNS_OF_VERSION_1} ORDER BY rowid;
  INSERT INTO run_events ${EVENTS_OF_VERSION_1};
  DROP TABLE events;
  DROP TABLE runs;
`;

/** Creates the tables in an empty database. */
export function createSchema(database: Database): void {
  database.exec(
    `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; ${TABLES} ${LEDGER} ${QUEUE} ${GROUPS}`,
  );
}

/** Whether the database has the tables of the ledger: an earlier one that was not written to since has not. */
export function hasLedger(database: Database): boolean {
  return readVersion(database) >= LEDGER_VERSION;
}

/** The same for the queue. */
export function hasQueue(database: Database): boolean {
  return readVersion(database) >= QUEUE_VERSION;
}

/** Upgrades a run history of an earlier version. If several processes do so at once, the first one upgrades it. */
export function upgradeSchema(database: Database): void {
  if (readVersion(database) === SCHEMA_VERSION) return;
  database.immediate(() => {
    const version = readVersion(database);
    if (version === 1) database.exec(UPGRADE_FROM_1);
    if (version < LEDGER_VERSION) database.exec(LEDGER);
    if (version < QUEUE_VERSION) database.exec(QUEUE);
    if (version < SCHEMA_VERSION) database.exec(`${GROUPS} PRAGMA user_version = ${SCHEMA_VERSION}`);
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

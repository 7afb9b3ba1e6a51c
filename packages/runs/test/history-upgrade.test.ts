import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "@autokestra/sqlite";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openRunHistory, type RecordedEvent, type RunHistory } from "../src/index.ts";
import { finished, id, logged, numberOf, recordedStart, started } from "./run-events.ts";

/** The schema of version 1. */
const VERSION_1 = `
  PRAGMA application_id = 0x616b726e;
  PRAGMA user_version = 1;

  CREATE TABLE runs (
    execution   TEXT PRIMARY KEY,
    workflow    TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('success', 'failed', 'unfinished')),
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    duration_ms INTEGER,
    masked      TEXT NOT NULL
  ) STRICT;

  CREATE TABLE events (
    execution TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    event     TEXT NOT NULL,
    PRIMARY KEY (execution, position)
  ) STRICT, WITHOUT ROWID;
`;

/** Every statement of version 1, with parameters that fit. */
const STATEMENTS_OF_VERSION_1: readonly [string, ...unknown[]][] = [
  [
    "INSERT INTO runs (execution, workflow, status, started_at, masked) VALUES (?, ?, 'unfinished', ?, '{}')",
    id(9),
    "w",
    started(9).time,
  ],
  ["DELETE FROM runs WHERE rowid <= (SELECT rowid FROM runs ORDER BY rowid DESC LIMIT 1 OFFSET ?)", 0],
  ["INSERT INTO events (execution, position, event) VALUES (?, ?, ?)", id(2), 2, JSON.stringify(logged(2, "late"))],
  [
    "UPDATE runs SET status = ?, finished_at = ?, duration_ms = ?, masked = ? WHERE execution = ?",
    "success",
    started(2).time,
    1,
    "{}",
    id(2),
  ],
  ["SELECT execution, workflow, status FROM runs ORDER BY rowid DESC LIMIT ?", 50],
  ["SELECT event FROM events WHERE execution = ? ORDER BY position", id(2)],
];

const EVENTS: readonly RecordedEvent[][] = [
  [recordedStart(3, "a"), logged(3, "one"), finished(3, "success")],
  [recordedStart(1, "b"), finished(1, "failed")],
  [recordedStart(2, "b"), logged(2, "cut off")],
];

let folder: string;
let path: string;
const open: RunHistory[] = [];

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "runs.db");
  writeFileSync(path, "", { mode: 0o600 });
  const database = openDatabase(path);
  database.pragma("journal_mode = WAL");
  database.exec(VERSION_1);
  for (const [run, events] of EVENTS.entries()) addRun(database, run, events);
  database.close();
});

afterEach(async () => {
  for (const history of open.splice(0)) await history.close();
});

function addRun(database: Database, run: number, events: readonly RecordedEvent[]): void {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) return;
  const end = last.event === "run.finished" ? last : null;
  database
    .prepare("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)")
    .run(
      first.execution,
      run === 0 ? "a" : "b",
      end?.status ?? "unfinished",
      first.time,
      end?.time ?? null,
      end?.durationMs ?? null,
      JSON.stringify(end?.masked ?? {}),
    );
  const add = database.prepare("INSERT INTO events VALUES (?, ?, ?)");
  for (const [position, event] of events.entries()) add.run(first.execution, position, JSON.stringify(event));
}

async function openHistory(): Promise<RunHistory> {
  const history = await openRunHistory({ path });
  open.push(history);
  return history;
}

/** The first write of this version. */
function record(history: RunHistory, run: number): void {
  const sink = history.recorder((error) => {
    throw error;
  });
  sink(started(run));
}

function inspect<T>(read: (database: Database) => T): T {
  const database = openDatabase(path, { mode: "ro" });
  try {
    return read(database);
  } finally {
    database.close();
  }
}

/** What is in the history, as it is given out. */
async function content(history: RunHistory): Promise<object> {
  const runs = await history.list();
  const events = await Promise.all(runs.map(async ({ execution }) => JSON.stringify(await history.events(execution))));
  return { runs, events };
}

describe("a run history of version 1", () => {
  it("is read as it is, and not changed by that", async () => {
    const hash = () => createHash("sha256").update(readFileSync(path)).digest("hex");
    const before = [hash(), statSync(path).mode, readdirSync(folder)];
    const history = await openHistory();
    expect(await history.list()).toMatchObject([
      { execution: id(2), workflow: "b", status: "lost", cancelledBy: null, finishedAt: null },
      { execution: id(1), workflow: "b", status: "failed", durationMs: 1000 },
      { execution: id(3), workflow: "a", status: "success", masked: { TOKEN: { count: 2 } } },
    ]);
    for (const events of EVENTS) {
      const [first] = events;
      expect(JSON.stringify(await history.events(first?.execution ?? ""))).toBe(JSON.stringify(events));
    }
    for (const [status, runs] of [
      ["unfinished", [2]],
      ["lost", [2]],
      ["running", []],
      ["failed", [1]],
    ] as const) {
      expect((await history.list({ status })).map(({ execution }) => numberOf(execution))).toEqual(runs);
    }
    await history.close();
    expect([hash(), statSync(path).mode, readdirSync(folder)]).toEqual(before);
  });

  it("is upgraded by the first write, with the same content in the same order", async () => {
    const before = await content(await openHistory());
    const history = await openHistory();
    record(history, 4);
    const [newest, ...others] = await history.list();
    expect(newest).toMatchObject({ execution: id(4), status: "running" });
    expect({ runs: others, events: Object.values(await content(history))[1].slice(1) }).toEqual(before);
    expect(inspect((database) => database.pragma("user_version"))).toBe(5);
    expect(inspect((database) => database.prepare("PRAGMA foreign_key_check").all())).toEqual([]);
    const tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    expect(inspect((database) => database.prepare(tables).pluck().all())).toEqual([
      "kept",
      "queued_runs",
      "run_claims",
      "run_events",
      "run_records",
      "schedule_times",
      "sqlite_sequence",
      "task_needs",
      "task_runs",
    ]);
    expect(["", "-wal", "-shm"].map((suffix) => statSync(path + suffix).mode & 0o777)).toEqual([0o600, 0o600, 0o600]);
  });

  it("is upgraded once by many that write at the same time", async () => {
    const histories = await Promise.all([4, 5, 6, 7].map(openHistory));
    for (const [index, history] of histories.entries()) record(history, index + 4);
    await Promise.all(histories.map(async (history) => await history.close()));
    const runs = await (await openHistory()).list();
    expect(runs.map(({ execution }) => numberOf(execution)).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("stays readable for those that have it open while it is upgraded", async () => {
    const reader = await openHistory();
    expect(await reader.list()).toHaveLength(3);
    record(await openHistory(), 4);
    expect(await reader.list()).toHaveLength(4);
    expect(await reader.events(id(2))).toEqual(EVENTS[2]);
    record(reader, 5);
    expect(await reader.list()).toHaveLength(5);
  });

  it.each(STATEMENTS_OF_VERSION_1)(
    "is upgraded, and then fails a process of version 1 that still runs: %s",
    async (sql, ...values) => {
      const version1 = openDatabase(path);
      const statement = version1.prepare(sql);
      const run = () => (sql.startsWith("SELECT") ? statement.all(...values) : statement.run(...values));
      version1.exec("BEGIN");
      run();
      version1.exec("ROLLBACK");
      const history = await openHistory();
      record(history, 4);
      const before = await content(history);
      expect(run).toThrow(/no such table/);
      version1.close();
      expect(await content(history)).toEqual(before);
    },
  );

  it("stays as it is where it cannot be upgraded", async () => {
    const other = openDatabase(path);
    other.exec("PRAGMA foreign_keys = OFF; UPDATE events SET execution = 'nobody' WHERE event LIKE '%cut off%'");
    other.close();
    const failures: string[] = [];
    const sink = (await openHistory()).recorder(({ message }) => failures.push(message));
    sink(started(4));
    expect(failures).toEqual([expect.stringContaining("SQLITE_CONSTRAINT")]);
    expect(inspect((database) => database.pragma("user_version"))).toBe(1);
    expect(await (await openHistory()).list()).toHaveLength(3);
  });
});

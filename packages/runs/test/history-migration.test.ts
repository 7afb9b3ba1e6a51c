import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "@autokestra/sqlite";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bundle } from "../../sqlite/test/child.ts";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openRunHistory, type RunHistory } from "../src/index.ts";
import { finished, id, logged, started } from "./run-events.ts";

const CURRENT = 5;

/** What no version leaves behind. */
const MIXED = [
  { from: 1, what: "lacks its events", sql: "DROP TABLE events" },
  { from: 1, what: "has a table of version 2", sql: "CREATE TABLE run_records (x)" },
  { from: 1, what: "has a table of version 3", sql: "CREATE TABLE task_runs (x)" },
  { from: 2, what: "has a column of version 3", sql: "ALTER TABLE run_records ADD COLUMN token TEXT" },
  { from: 3, what: "has a table of version 4", sql: "CREATE TABLE queued_runs (x)" },
  { from: 4, what: "has a column of version 5", sql: "ALTER TABLE queued_runs ADD COLUMN is_starting INTEGER" },
  { from: 2, what: "lacks its tables", sql: "DROP TABLE run_events; DROP TABLE run_records" },
];

let path: string;
const open: RunHistory[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const history of open.splice(0)) await history.close();
});

async function openHistory(): Promise<RunHistory> {
  const history = await openRunHistory({ path });
  open.push(history);
  return history;
}

/** The first write of this version. Returns why it was not made. */
async function write(run: number): Promise<string | null> {
  const failures: string[] = [];
  const history = await openHistory();
  const record = history.recorder(({ message }) => failures.push(message));
  for (const event of [started(run), finished(run, "success")]) record(event);
  return failures[0] ?? null;
}

function inspect<T>(read: (database: Database) => T): T {
  const database = openDatabase(path);
  try {
    return read(database);
  } finally {
    database.close();
  }
}

const version = () => inspect((database) => Number(database.pragma("user_version")));

/** Tables, columns and indexes, whatever order and spelling they were made in. */
const shape = () =>
  inspect((database) =>
    database
      .prepare<[], string>(
        `SELECT m.type || ' ' || m.name || ' ' || coalesce(c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || coalesce(c.dflt_value, ''), '')
         FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c WHERE m.name NOT LIKE 'sqlite_%' ORDER BY 1`,
      )
      .pluck()
      .all(),
  );

/** What is given out of the runs of the fixture. */
async function content(): Promise<object> {
  const history = await openHistory();
  const runs = (await history.list()).filter(({ execution }) => !execution.startsWith("00000000"));
  const events = await Promise.all(runs.map(async ({ execution }) => await history.events(execution)));
  return { runs, events };
}

async function startProcess(...args: string[]): Promise<ChildProcess> {
  const script = await bundle(new URL("upgrading-process.ts", import.meta.url));
  const child = spawn(process.execPath, [script, path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

describe.each([
  [1, "lost"],
  [2, "unknown"],
  [3, "unknown"],
  [4, "unknown"],
] as const)("the history of version %i that people have", (from, slow) => {
  beforeEach(() => {
    path = join(temporaryFolder(), "runs.db");
    copyFileSync(new URL(`fixtures/v${from}/runs.db`, import.meta.url), path);
  });

  it("is read as it is, and upgraded by the first write, with all its content", async () => {
    const before = await content();
    expect(before).toMatchObject({
      runs: [
        { workflow: "slow", status: slow, finishedAt: null },
        { workflow: "bad", status: "failed" },
        { workflow: "good", status: "success", masked: { TOKEN: { count: 1 } } },
      ],
    });
    expect(version()).toBe(from);
    expect(await write(4)).toBe(null);
    expect([version(), await content()]).toEqual([CURRENT, before]);
    const history = await openHistory();
    const [lost] = await history.list({ workflow: "slow" });
    const execution = lost?.execution ?? "";
    // It was not kept, and says so.
    await expect(history.kept(execution, null)).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
    expect(await history.ledger.tasks(execution)).toMatchObject(from < 3 ? [] : [{ task: "say", state: "running" }]);
    expect(await history.file(execution)).toEqual(from < 3 ? null : expect.stringMatching(/\/slow\.yaml$/));
  });

  it("has the tables of a new one then", async () => {
    await write(4);
    const upgraded = shape();
    path = join(temporaryFolder(), "runs.db");
    await write(4);
    expect(upgraded).toEqual(shape());
  });

  it("stays as it is if the process is killed in the middle, and the next one upgrades it", {
    tags: ["faults"],
  }, async () => {
    const before = await content();
    const child = await startProcess("stop");
    const wal = readFileSync(`${path}-wal`).length;
    child.kill("SIGKILL");
    await once(child, "close");
    expect([version(), await content(), wal > 0]).toEqual([from, before, true]);
    expect(await write(4)).toBe(null);
    expect([version(), await content()]).toEqual([CURRENT, before]);
  });

  it("is upgraded once by processes that write at the same time", { tags: ["faults"] }, async () => {
    const before = await content();
    const both = await Promise.all(["4", "5"].map(async (run) => await startProcess(run)));
    for (const child of both) child.stdin?.write("go\n");
    expect(await Promise.all(both.map(async (child) => (await once(child, "close"))[0]))).toEqual([0, 0]);
    expect([version(), await content()]).toEqual([CURRENT, before]);
    const runs = await (await openHistory()).list();
    expect(runs.filter(({ status }) => status === "success").map(({ execution }) => execution)).toEqual(
      expect.arrayContaining([id(4), id(5)]),
    );
  });

  it.each(MIXED.filter((mixed) => mixed.from === from))("is left as it is where it $what", async ({ sql }) => {
    inspect((database) => database.exec(sql));
    const before = shape();
    expect(await write(4)).toMatch(/cannot be used/);
    expect([version(), shape()]).toEqual([from, before]);
  });

  it("is left as it is if a newer version has upgraded it meanwhile", async () => {
    const history = await openHistory();
    await history.list();
    inspect((database) => database.pragma(`user_version = ${CURRENT + 1}`));
    expect(await write(4)).toContain("a newer version of autokestra has written it");
    expect(version()).toBe(CURRENT + 1);
  });
});

it("a server of version 4 that still runs while its history is upgraded takes runs and begins them as before", async () => {
  path = join(temporaryFolder(), "runs.db");
  copyFileSync(new URL("fixtures/v4/runs.db", import.meta.url), path);
  const old = openDatabase(path);
  const statements = [
    `INSERT OR REPLACE INTO queued_runs (run_id, workflow, file, key_id, start, until, pid, process_start, host, boot_id)
     VALUES ('${id(7)}', 'w', NULL, NULL, NULL, 0, ${process.pid}, NULL, 'fixture', NULL)`,
    `INSERT INTO run_records (id, workflow, file, status, started_at, masked, pid, process_start, host, boot_id, secrets, token, kept_until)
     VALUES ('${id(7)}', 'w', NULL, 'running', '2026-01-01T00:00:00.000Z', '{}', 1, NULL, 'fixture', NULL, '[]', 't', NULL)`,
    `DELETE FROM queued_runs WHERE run_id = '${id(7)}'`,
  ].map((sql) => old.prepare(sql));
  expect(await write(4)).toBe(null);
  expect(statements.map((statement) => statement.run().changes)).toEqual([1, 1, 1]);
  old.close();
  expect(await (await openHistory()).list({ status: "unknown" })).toHaveLength(2);
});

describe("a process of version 2 that still runs while its history is upgraded", () => {
  beforeEach(() => {
    path = join(temporaryFolder(), "runs.db");
    copyFileSync(new URL("fixtures/v2/runs.db", import.meta.url), path);
  });

  it("goes on recording its run, and reads and trims as before", async () => {
    const older = openDatabase(path);
    older.pragma("journal_mode = WAL");
    // The statements of that version.
    const begin = older.prepare(`
      INSERT INTO run_records (id, workflow, status, started_at, masked, pid, process_start, host, boot_id)
      VALUES (?, ?, 'running', ?, '{}', ?, ?, ?, ?)`);
    const add = older.prepare("INSERT INTO run_events (run_id, position, event) VALUES (?, ?, ?)");
    const end = older.prepare(
      "UPDATE run_records SET status = ?, cancelled_by = ?, finished_at = ?, duration_ms = ?, masked = ? WHERE id = ?",
    );
    const trim = older.prepare("DELETE FROM run_records WHERE number = ?");
    const list = older.prepare("SELECT id, status FROM run_records ORDER BY number DESC");
    begin.run(id(9), "old", started(9).time, process.pid, null, "fixture", null);
    add.run(id(9), 0, JSON.stringify(started(9)));

    expect(await write(4)).toBe(null);
    add.run(id(9), 1, JSON.stringify(logged(9, "after the upgrade")));
    add.run(id(9), 2, JSON.stringify(finished(9, "success")));
    end.run("success", null, finished(9, "success").time, 7, "{}", id(9));
    begin.run(id(8), "old", started(8).time, process.pid, null, "fixture", null);
    trim.run(1);
    expect(list.all().slice(0, 3)).toEqual([
      { id: id(8), status: "running" },
      { id: id(4), status: "success" },
      { id: id(9), status: "success" },
    ]);
    older.close();

    const history = await openHistory();
    expect(await history.events(id(9))).toHaveLength(3);
    expect((await history.list()).map(({ workflow, status }) => `${workflow} ${status}`)).toEqual([
      "old unknown",
      "w success",
      "old success",
      "slow unknown",
      "bad failed",
    ]);
    // A run of it keeps nothing, so that nobody takes it over.
    await expect(history.kept(id(8), null)).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
  });
});

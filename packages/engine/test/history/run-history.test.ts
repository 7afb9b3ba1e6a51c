import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type LogEvent,
  openRunHistory,
  parseWorkflow,
  type RunEvent,
  type RunFinished,
  type RunHistory,
  runWorkflow,
} from "../../src/index.ts";

let folder: string;
let path: string;
const open: RunHistory[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "runs-"));
  path = join(folder, "below", "runs.db");
});

afterEach(() => {
  for (const history of open.splice(0)) history.close();
  rmSync(folder, { recursive: true, force: true });
});

async function openHistory(options: { path?: string; keepRuns?: number } = {}): Promise<RunHistory> {
  const history = await openRunHistory({ path, ...options });
  open.push(history);
  return history;
}

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

const started = (execution: string, second: number): LogEvent => ({
  time: at(second),
  level: "info",
  event: "run.started",
  execution,
  message: "workflow w",
});

const finished = (execution: string, second: number, status: RunFinished["status"]): RunFinished => ({
  time: at(second),
  level: status === "success" ? "info" : "error",
  event: "run.finished",
  execution,
  status,
  durationMs: 1000,
  tasks: { a: { status }, b: { status: "skipped" } },
  masked: { TOKEN: { count: 2, variants: ["value", "base64"] } },
});

const rejection = (code: string, text: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(text) });

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
}

describe("a run history", () => {
  it("gives back every event of a run as it was, and what became of the run", async () => {
    const events: RunEvent[] = [];
    const history = await openHistory();
    const record = history.recorder("w");
    const workflow = parseWorkflow(
      "apiVersion: v1\nid: w\ntasks:\n  - { id: a, type: core/console.log, inputs: { message: { deep: [1, null, ü] } } }\n  - { id: b, type: core/http.get, needs: [a], inputs: { url: 'no url' } }\n",
      "w.yaml",
    );
    const sink = (event: RunEvent) => {
      events.push(event);
      record(event);
    };
    const { execution, durationMs, time } = await runWorkflow(workflow, { sources: [], sink });
    const another = await openHistory();
    expect(JSON.stringify(another.events(execution))).toBe(JSON.stringify(events));
    expect(another.list()).toEqual([
      {
        execution,
        workflow: "w",
        status: "failed",
        startedAt: events[0]?.time,
        finishedAt: time,
        durationMs,
        masked: {},
      },
    ]);
  });

  it("that does not exist reads as empty, and is not made by that", async () => {
    const history = await openHistory();
    expect(history.list()).toEqual([]);
    expect(errorOf(() => history.events("x"))).toEqual(rejection("RUN_NOT_FOUND", "Run 'x' not found"));
    expect(existsSync(join(folder, "below"))).toBe(false);
  });

  it("lists the newest first, by workflow, by status, and so many", async () => {
    const history = await openHistory();
    for (const [index, [workflow, status]] of (
      [
        ["v", "success"],
        ["w", "failed"],
        ["w", "success"],
        ["w", null],
      ] as const
    ).entries()) {
      const record = history.recorder(workflow);
      record(started(`run-${index}`, index));
      if (status !== null) record(finished(`run-${index}`, 10, status));
    }
    const ids = (filter: Parameters<RunHistory["list"]>[0]) => history.list(filter).map(({ execution }) => execution);
    expect(ids({})).toEqual(["run-3", "run-2", "run-1", "run-0"]);
    expect(ids({ workflow: "w" })).toEqual(["run-3", "run-2", "run-1"]);
    expect(ids({ status: "success" })).toEqual(["run-2", "run-0"]);
    expect(ids({ status: "unfinished" })).toEqual(["run-3"]);
    expect(ids({ workflow: "w", status: "failed", limit: 5 })).toEqual(["run-1"]);
    expect(ids({ limit: 2 })).toEqual(["run-3", "run-2"]);
  });

  it("keeps the newest runs with their events, and forgets all others", async () => {
    const history = await openHistory({ keepRuns: 2 });
    for (const index of [0, 1, 2]) history.recorder("w")(started(`run-${index}`, index));
    expect(history.list().map(({ execution }) => execution)).toEqual(["run-2", "run-1"]);
    expect(errorOf(() => history.events("run-0"))).toEqual(rejection("RUN_NOT_FOUND", "run-0"));
    expect(history.events("run-1")).toHaveLength(1);
  });

  it("is written by several at once", async () => {
    const histories = await Promise.all([openHistory(), openHistory(), openHistory()]);
    const records = histories.map((history) => history.recorder("w"));
    for (const [index, record] of records.entries()) record(started(`run-${index}`, index));
    for (let turn = 0; turn < 20; turn++) {
      for (const [index, record] of records.entries()) record({ ...started(`run-${index}`, turn), event: "task.log" });
    }
    const counts = [0, 1, 2].map((index) => histories[0]?.events(`run-${index}`).length);
    expect(counts).toEqual([21, 21, 21]);
  });

  it("is for its owner alone, and out of git", async () => {
    const place = join(folder, ".workflow", "runs.db");
    const history = await openHistory({ path: place });
    history.recorder("w")(started("run", 0));
    for (const file of ["runs.db", "runs.db-wal", "runs.db-shm"]) {
      expect(statSync(join(folder, ".workflow", file)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(join(folder, ".workflow")).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(folder, ".workflow", ".gitignore"), "utf8")).toBe("runs.db*\n");
    history.close();
    chmodSync(place, 0o644);
    (await openHistory({ path: place })).list();
    expect(statSync(place).mode & 0o777).toBe(0o600);
  });

  it("elsewhere brings no .gitignore", async () => {
    (await openHistory()).recorder("w")(started("run", 0));
    expect(readdirSync(join(folder, "below")).filter((name) => name.startsWith(".git"))).toEqual([]);
  });
});

describe("what cannot be a run history", () => {
  const change = (sql: string) => {
    const database = new Database(path);
    database.exec(sql);
    database.close();
  };

  it.each<[string, () => void, string]>([
    ["no database", () => writeFileSync(path, "not a database, and long enough to be read as one"), "not a database"],
    ["another program's", () => change("CREATE TABLE x (y)"), "it is a database of another program"],
    [
      "a newer one",
      () => change("PRAGMA application_id = 0x616b726e; PRAGMA user_version = 2"),
      "a newer version of autokestra has written it",
    ],
    ["a link", () => symlinkSync("/dev/null", path), "it is not a regular file"],
    ["one without its tables", () => change("PRAGMA application_id = 0x616b726e; PRAGMA user_version = 1"), "laid out"],
  ])("%s is left as it is", async (_, make, reason) => {
    path = join(folder, "runs.db");
    make();
    const before = readFileSync(path);
    const history = await openHistory();
    const expected = rejection("HISTORY_UNAVAILABLE", reason);
    expect(errorOf(() => history.list())).toEqual(expected);
    expect(errorOf(() => history.recorder("w")(started("run", 0)))).toEqual(expected);
    if (reason !== "laid out") expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("events that were changed from outside are not given out", async () => {
    const history = await openHistory();
    history.recorder("w")(started("run", 0));
    history.close();
    for (const event of ["no JSON", '{"time":1}', '{"event":"run.finished"}']) {
      change(`UPDATE events SET event = '${event}'`);
      const changed = await openHistory();
      expect(errorOf(() => changed.events("run"))).toEqual(rejection("HISTORY_UNAVAILABLE", "it is damaged"));
      changed.close();
    }
  });

  it("nor is one in a place where no file can be", async () => {
    writeFileSync(join(folder, "file"), "");
    const history = await openHistory({ path: join(folder, "file", "runs.db") });
    const error = errorOf(() => history.recorder("w")(started("run", 0)));
    expect(error).toEqual(rejection("HISTORY_UNAVAILABLE", "not a directory (ENOTDIR)"));
  });
});

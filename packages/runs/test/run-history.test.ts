import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { type KeptRuns, openRunHistory, type RunFilter, type RunHistory, type RunSink } from "../src/index.ts";
import { finished, id, logged, numberOf, started } from "./run-events.ts";

let folder: string;
let path: string;
const open: RunHistory[] = [];

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "below", "runs.db");
});

afterEach(async () => {
  for (const history of open.splice(0)) await history.close();
});

async function openHistory(place = path, keep: KeptRuns = {}): Promise<RunHistory> {
  const history = await openRunHistory({ path: place, keep });
  open.push(history);
  return history;
}

/** A sink that throws what its run would be told. */
function recorder(history: RunHistory): RunSink {
  const failures: Error[] = [];
  const record = history.recorder((error) => failures.push(error));
  return (event) => {
    record(event);
    const failure = failures.pop();
    if (failure !== undefined) throw failure;
  };
}

const rejection = (code: string, text: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(text) });

async function errorOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return null;
}

describe("a run history", () => {
  it("that does not exist reads as empty, and is not made by that", async () => {
    const history = await openHistory();
    expect(await history.list()).toEqual([]);
    expect(await errorOf(() => history.events("x"))).toEqual(rejection("RUN_NOT_FOUND", "Run 'x' not found"));
    expect(existsSync(join(folder, "below"))).toBe(false);
  });

  it.each<[RunFilter, number[]]>([
    [{}, [4, 3, 2, 1, 0]],
    [{ workflow: "w" }, [4, 3, 2, 1]],
    [{ status: "success" }, [2, 0]],
    [{ status: "cancelled" }, [4]],
    [{ status: "running" }, [3]],
    [{ status: "unfinished" }, [3]],
    [{ status: "lost" }, []],
    [{ workflow: "w", status: "failed", limit: 5 }, [1]],
    [{ limit: 2 }, [4, 3]],
  ])("lists the newest first: %j", async (filter, runs) => {
    const history = await openHistory();
    const what = [
      ["v", "success"],
      ["w", "failed"],
      ["w", "success"],
      ["w", null],
      ["w", "cancelled"],
    ] as const;
    for (const [run, [workflow, status]] of what.entries()) {
      const record = recorder(history);
      record(started(run, workflow));
      if (status !== null) record(finished(run, status));
    }
    expect((await history.list(filter)).map(({ execution }) => numberOf(execution))).toEqual(runs);
  });

  it("is written by several at once", async () => {
    const histories = await Promise.all([openHistory(), openHistory(), openHistory()]);
    const records = histories.map(recorder);
    for (const [run, record] of records.entries()) record(started(run));
    for (let turn = 0; turn < 20; turn++) {
      for (const [run, record] of records.entries()) record(logged(run, "line"));
    }
    for (const run of records.keys()) expect(await histories[run]?.events(id(run))).toHaveLength(21);
  });

  it("is of no use once it is closed", async () => {
    const history = await openHistory();
    const record = recorder(history);
    record(started(0));
    await history.close();
    for (const work of [() => history.list(), () => history.events(id(0)), () => record(finished(0, "success"))]) {
      expect(await errorOf(work)).toEqual(rejection("HISTORY_UNAVAILABLE", "it is closed"));
    }
  });

  it("that is removed or replaced during a run says so", async () => {
    const record = recorder(await openHistory());
    record(started(0));
    const remove = () => {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
    };
    remove();
    const gone = rejection("HISTORY_UNAVAILABLE", "it was moved or removed");
    expect(await errorOf(() => record(finished(0, "success")))).toEqual(gone);
    const other = recorder(await openHistory());
    other(started(1));
    remove();
    recorder(await openHistory())(started(2));
    expect(await errorOf(() => other(finished(1, "success")))).toEqual(gone);
  });

  it("is for its owner alone, with all that belongs to it", async () => {
    const history = await openHistory();
    recorder(history)(started(0));
    const files = ["runs.db", "runs.db-wal", "runs.db-shm"].map((name) => join(folder, "below", name));
    const modes = () => files.map((file) => statSync(file).mode & 0o777);
    expect(modes()).toEqual([0o600, 0o600, 0o600]);
    expect(statSync(join(folder, "below")).mode & 0o777).toBe(0o700);
    for (const file of files) chmodSync(file, 0o644);
    await (await openHistory()).list();
    expect(modes()).toEqual([0o600, 0o600, 0o600]);
  });

  it("leaves no draft of a process that was killed", async () => {
    recorder(await openHistory())(started(0));
    // Linux gives no pid beyond 2^22.
    writeFileSync(`${path}.${2 ** 22 + 1}-${id(1)}.draft`, "");
    await (await openHistory()).list();
    expect(readdirSync(join(folder, "below")).filter((name) => name.endsWith(".draft"))).toEqual([]);
  });

  it("is kept out of git in a folder that is ours, and nowhere else", async () => {
    recorder(await openHistory(join(folder, ".workflow", "runs.db")))(started(0));
    expect(readFileSync(join(folder, ".workflow", ".gitignore"), "utf8")).toBe("runs.db*\n");
    recorder(await openHistory())(started(0));
    expect(existsSync(join(folder, "below", ".gitignore"))).toBe(false);
  });
});

describe("what cannot be a run history", () => {
  const change = (sql: string) => {
    const database = openDatabase(path);
    database.exec(sql);
    database.close();
  };

  it.each<[string, () => void, string]>([
    ["no database", () => writeFileSync(path, "not a database, and long enough to be read as one"), "not a database"],
    ["an empty file", () => writeFileSync(path, ""), "it is not a run history"],
    ["another program's", () => change("CREATE TABLE x (y)"), "it is not a run history"],
    ["one without a version", () => change("PRAGMA application_id = 0x616b726e"), "it is not a run history"],
    [
      "a newer one",
      () => change("PRAGMA application_id = 0x616b726e; PRAGMA user_version = 6"),
      "a newer version of autokestra has written it",
    ],
    [
      "a link",
      () => {
        writeFileSync(join(folder, "elsewhere"), "");
        symlinkSync("elsewhere", path);
      },
      "it is not a regular file",
    ],
  ])("%s is left as it is", async (_, make, reason) => {
    path = join(folder, "runs.db");
    make();
    chmodSync(path, 0o644);
    const before = [readFileSync(path), statSync(path).mode];
    const history = await openHistory();
    const expected = rejection("HISTORY_UNAVAILABLE", reason);
    expect(await errorOf(() => history.list())).toEqual(expected);
    expect(await errorOf(() => recorder(history)(started(0)))).toEqual(expected);
    expect([readFileSync(path), statSync(path).mode]).toEqual(before);
  });

  it("the WAL of another program is not brought into its database", async () => {
    path = join(folder, "runs.db");
    const other = openDatabase(path);
    other.pragma("journal_mode = WAL");
    other.exec("CREATE TABLE x (y)");
    const copies = ["", "-wal"].map((suffix) => readFileSync(path + suffix));
    other.close();
    writeFileSync(path, copies[0] ?? "");
    writeFileSync(`${path}-wal`, copies[1] ?? "");
    const history = await openHistory();
    expect(await errorOf(() => history.list())).toEqual(rejection("HISTORY_UNAVAILABLE", "it is not a run history"));
    expect(["", "-wal"].map((suffix) => readFileSync(path + suffix))).toEqual(copies);
  });

  it.runIf(process.geteuid?.() === 0)("one of another user is not used", async () => {
    recorder(await openHistory())(started(0));
    chownSync(path, 65_534, 65_534);
    const history = await openHistory();
    expect(await errorOf(() => history.list())).toEqual(rejection("HISTORY_UNAVAILABLE", "it belongs to another user"));
  });

  it("a WAL without its database is not given to another one", async () => {
    recorder(await openHistory())(started(0));
    rmSync(path);
    const history = await openHistory();
    const expected = rejection("HISTORY_UNAVAILABLE", "it was deleted, and only its WAL is left");
    expect(await errorOf(() => recorder(history)(started(1)))).toEqual(expected);
    expect([await history.list(), existsSync(path)]).toEqual([[], false]);
  });

  it("what was changed from outside is not given out", async () => {
    const history = await openHistory();
    recorder(history)(started(0));
    await history.close();
    const damaged = rejection("HISTORY_UNAVAILABLE", "it is damaged");
    for (const event of [
      "no JSON",
      '{"time":1}',
      '{"event":"run.finished"}',
      JSON.stringify({ ...started(0), time: "x" }),
    ]) {
      change(`UPDATE run_events SET event = '${event}'`);
      const changed = await openHistory();
      expect(await errorOf(() => changed.events(id(0)))).toEqual(damaged);
    }
    for (const value of ["masked = '[]'", "masked = 'no JSON'", "started_at = 'x'", "id = 'x'"]) {
      change(`PRAGMA foreign_keys = OFF; UPDATE run_records SET ${value}`);
      const changed = await openHistory();
      expect(await errorOf(() => changed.list())).toEqual(damaged);
    }
  });

  it.each<[string, () => string, string]>([
    ["below a file", () => join(folder, "file", "runs.db"), "not a directory (ENOTDIR)"],
    ["a folder", () => join(folder, "folder"), "it is not a regular file"],
    ["with a name that SQLite would cut", () => join(folder, "runs.db "), "its name ends with white space"],
  ])("a place %s", async (_, place, reason) => {
    appendFileSync(join(folder, "file"), "");
    mkdirSync(join(folder, "folder"));
    const history = await openHistory(place());
    const told: unknown[] = [];
    const record = history.recorder((error) => told.push(error));
    record(started(0));
    record(finished(0, "success"));
    expect(told).toEqual([rejection("HISTORY_UNAVAILABLE", reason)]);
  });
});

describe("what runs have kept for too long", () => {
  const keptFor = async (history: RunHistory, run: number, milliseconds: number) => {
    const bytes = randomBytes(5000);
    const value = { kind: "result", task: "a", attempt: 1, keyId: "k", bytes } as const;
    await history.ledger.createRun({
      id: id(run),
      workflow: "w",
      file: null,
      secrets: [],
      tasks: [],
      owner: { token: "t" },
      kept: { values: [value], milliseconds },
    });
    return bytes;
  };
  /** How many of these are in any file of the history. Long values continue on other pages. */
  const inFiles = (values: readonly Buffer[]) => {
    const at = join(folder, "below");
    const files = readdirSync(at).map((name) => readFileSync(join(at, name)));
    return values.filter((value) => files.some((file) => file.includes(value.subarray(0, 64)))).length;
  };

  it("is overwritten by the first use of the history, and by one that stays open when it is told to", async () => {
    const history = await openHistory();
    const [short, long] = [await keptFor(history, 1, 0), await keptFor(history, 2, 3_600_000)];
    expect([inFiles([short]), inFiles([long])]).toEqual([1, 1]);
    await history.wipeExpired();
    expect([inFiles([short]), inFiles([long])]).toEqual([0, 1]);

    const again = await keptFor(history, 3, 0);
    const another = await openHistory();
    await another.list();
    await another.close();
    expect([inFiles([again]), inFiles([long])]).toEqual([0, 1]);
    await history.wipeExpired();
    expect((await history.list()).length).toBe(3);
  });
});

describe("a log that is too long", () => {
  const line = "x".repeat(1023);
  const read = async (history: RunHistory) => await history.events(id(1));
  const fail = (error: unknown) => expect(error).toBeUndefined();

  it("ends with a line that says so; the other events are recorded, and at the end how many lines more there were", async () => {
    const history = await openHistory(path, { logMiB: 1 });
    const record = history.recorder(fail);
    record(started(1));
    for (let number = 0; number < 2000; number++) record(logged(1, line));
    record({ ...logged(1, "still there"), event: "task.started" });
    record(finished(1, "success"));
    const events = await read(history);
    const lines = events.filter(({ event }) => event === "task.log");
    const bytes = lines.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0);
    expect(bytes).toBeLessThanOrEqual(1024 * 1024);
    expect(bytes).toBeGreaterThan(1024 * 1024 - 2048);
    expect(events.slice(lines.length + 1).map((event) => ("message" in event ? event.message : event.event))).toEqual([
      "the recorded log ends here: it has no more than 1 MiB of lines. The run continues",
      "still there",
      `${2000 - lines.length} log lines were not recorded: there were more than 1 MiB of them`,
      "run.finished",
    ]);
  });

  it("counts what earlier attempts of the run have recorded", async () => {
    const first = await openHistory(path, { logMiB: 1 });
    const record = first.recorder(fail);
    record(started(1));
    for (let number = 0; number < 500; number++) record(logged(1, line));
    await first.close();
    const again = (await openHistory(path, { logMiB: 1 })).recorder(fail);
    again(started(1));
    for (let number = 0; number < 900; number++) again(logged(1, line));
    again(finished(1, "failed"));
    const events = await read(await openHistory());
    expect(events.filter(({ event }) => event === "task.log").length).toBeLessThan(900);
    expect(events.filter(({ event }) => event === "run.warning")).toHaveLength(2);
  });

  it("counts no other events of earlier attempts", async () => {
    const first = await openHistory(path, { logMiB: 1 });
    const record = first.recorder(fail);
    record(started(1));
    for (let number = 0; number < 1100; number++) record({ ...logged(1, line), event: "task.started" });
    await first.close();
    const again = (await openHistory(path, { logMiB: 1 })).recorder(fail);
    again(started(1));
    for (let number = 0; number < 500; number++) again(logged(1, line));
    again(finished(1, "success"));
    const events = await read(await openHistory());
    expect(events.filter(({ event }) => event === "task.log")).toHaveLength(500);
  });
});

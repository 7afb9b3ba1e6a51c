// @module-tag faults
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bundle } from "../../sqlite/test/child.ts";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openRunHistory, type RunEvent, type RunHistory, type RunSink } from "../src/index.ts";
import { finished, id, logged, recordedStart, started } from "./run-events.ts";

const LONG = process.env["LONG_TESTS"] === "true";

let folder: string;
let path: string;
let history: RunHistory;
const failures: string[] = [];

beforeEach(async () => {
  folder = temporaryFolder();
  path = join(folder, "runs.db");
  failures.length = 0;
  // There is one already: a file that is not there cannot be locked.
  const first = await openRunHistory({ path });
  recorder(first)(started(100));
  await first.close();
  history = await openRunHistory({ path });
});

afterEach(async () => {
  await history.close();
});

function recorder(of = history): RunSink {
  return of.recorder(({ message }) => failures.push(message));
}

/** Locks the file for writers, as another program in the middle of a transaction does. */
function lock(): () => void {
  const database = openDatabase(path);
  database.exec("BEGIN EXCLUSIVE");
  return () => database.close();
}

/** Locks the file for readers too, in a process of its own. */
async function lockInProcess(): Promise<() => Promise<void>> {
  const script = await bundle(new URL("../../sqlite/test/locker.ts", import.meta.url));
  const child = spawn(process.execPath, [script, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
}

async function reread(run: number): Promise<string> {
  const another = await openRunHistory({ path });
  try {
    return JSON.stringify(await another.events(id(run)));
  } finally {
    await another.close();
  }
}

describe("K32: a history that another program has locked", () => {
  it.each<[string, number, () => Promise<() => unknown>]>([
    ["the first event on", 0, lockInProcess],
    ["the middle of the run on", 5, async () => await Promise.resolve(lock())],
  ])("from %s, has the whole run in the end, and nobody waits", async (_name, at, begin) => {
    const record = recorder();
    const events: RunEvent[] = [started(0), ...Array.from({ length: 40 }, (_, line) => logged(0, `line ${line}`))];
    events.push(finished(0, "success"));
    let unlock: () => unknown = () => undefined;
    // It is locked as long as there are events: whoever waited for it at each of them would never come to the end.
    for (const [index, event] of events.entries()) {
      if (index === at) unlock = await begin();
      record(event);
      await setTimeout(20);
    }
    await unlock();
    await history.close();
    expect(failures).toEqual([]);
    expect(await reread(0)).toBe(JSON.stringify([recordedStart(0), ...events.slice(1)]));
  });

  it("is written without anybody asking for it, and can be written to again", async () => {
    const unlock = lock();
    const record = recorder();
    record(started(0));
    record(logged(0, "during"));
    expect(await history.events(id(100))).toHaveLength(1);
    await expect(history.events(id(0))).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    unlock();
    await expect.poll(async () => (await history.events(id(0)).catch(() => [])).length).toBe(2);
    record(logged(0, "after"));
    expect(await history.events(id(0))).toEqual([recordedStart(0), logged(0, "during"), logged(0, "after")]);
  });

  it("keeps the events of each run together, whoever waits", async () => {
    const unlock = lock();
    const another = await openRunHistory({ path });
    const records = [recorder(), recorder(), recorder(another)];
    for (const [run, record] of records.entries()) record(started(run));
    for (let line = 0; line < 500; line++) {
      for (const [run, record] of records.entries()) record(logged(run, `line ${line}`));
    }
    unlock();
    await Promise.all([history.close(), another.close()]);
    for (const run of records.keys()) {
      const lines = Array.from({ length: 500 }, (_, line) => logged(run, `line ${line}`));
      expect(await reread(run)).toBe(JSON.stringify([recordedStart(run), ...lines]));
    }
    expect(failures).toEqual([]);
  });

  // It writes and reads 64 MiB.
  it.each(LONG ? [150] : [])("loses the oldest of %d MiB of log lines, and the record says how many", async (count) => {
    const unlock = lock();
    // More than are kept in memory.
    const another = await openRunHistory({ path, keep: { logMiB: 1024 } });
    const record = recorder(another);
    const text = "x".repeat(1024 * 1024);
    record(started(0));
    for (let line = 0; line < count; line++) record(logged(0, `${line} ${text}`));
    record(finished(0, "success"));
    unlock();
    await another.close();
    const [first, gap, ...rest] = JSON.parse(await reread(0));
    const last = rest.pop();
    expect([first, last]).toEqual([recordedStart(0), finished(0, "success")]);
    const lines = rest.map(({ message }: { message: string }) => Number(message.split(" ")[0]));
    const dropped = count - lines.length;
    expect(lines).toEqual(Array.from({ length: lines.length }, (_, line) => dropped + line));
    expect(lines.length).toBeGreaterThan(30);
    expect(lines.length).toBeLessThan(64);
    const message = `${dropped} log lines were not recorded: the run history was locked`;
    expect(gap).toMatchObject({ event: "run.warning", level: "warn", execution: id(0), message });
  });

  it("for longer than closing waits: says once how much is missing", async () => {
    const unlock = lock();
    const record = recorder();
    record(started(0));
    record(logged(0, "line"));
    record(finished(0, "success"));
    await history.close();
    expect(failures).toEqual([
      expect.stringMatching(/another process keeps it locked \(SQLITE_BUSY\); 3 events were not written$/),
    ]);
    record(logged(0, "late"));
    expect(failures).toHaveLength(1);
    unlock();
    await expect(reread(0)).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  });

  it("cannot be read for 5 s: says so, and the event loop does not wait", async () => {
    const unlock = await lockInProcess();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 50);
    const locked = { code: "HISTORY_UNAVAILABLE", message: expect.stringContaining("another process keeps it locked") };
    await expect(history.list()).rejects.toMatchObject(locked);
    clearInterval(timer);
    await unlock();
    expect(ticks).toBeGreaterThan(2);
  });

  it("and then fails for another reason: says that once, and records nothing more", async () => {
    const unlock = lock();
    const record = recorder();
    record(started(0));
    for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
    unlock();
    await expect.poll(() => failures).toEqual([expect.stringContaining("it was moved or removed")]);
    record(logged(0, "late"));
    expect(failures).toHaveLength(1);
  });
});

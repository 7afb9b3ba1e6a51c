import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openRunHistory, type RunFilter, type RunHistory, type RunStatus } from "../src/index.ts";
import { finished, id, logged, numberOf, recordedStart, started } from "./run-events.ts";

let folder: string;
let path: string;
let history: RunHistory;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = temporaryFolder();
  path = join(folder, "runs.db");
  history = await openRunHistory({ path });
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await history.close();
});

function record(...events: Parameters<ReturnType<RunHistory["recorder"]>>[0][]): void {
  const sink = history.recorder((error) => {
    throw error;
  });
  for (const event of events) sink(event);
}

/** Changes rows as another process or another host would have written them. */
function change(sql: string, ...values: unknown[]): void {
  const database = openDatabase(path);
  database.prepare(sql).run(...values);
  database.close();
}

/** Makes a run look like one of this process, or of one that differs from it. */
function setProcess(
  run: number,
  process: Partial<Record<"pid" | "process_start" | "host" | "boot_id", unknown>>,
): void {
  for (const [column, value] of Object.entries(process)) {
    change(`UPDATE run_records SET ${column} = ? WHERE id = ?`, value, id(run));
  }
}

const startOf = (pid: number) => Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19]);

/** Starts a shell, which prints a pid and becomes `sleep`. */
async function startShell(script: string): Promise<{ shell: number; printed: number }> {
  const child = spawn("sh", ["-c", `${script}; exec sleep 600`], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [text] = await once(child.stdout, "data");
  return { shell: child.pid ?? 0, printed: Number(String(text)) };
}

/** The pid of a process that goes on. */
const living = async () => (await startShell("echo $$")).printed;

/** The pid of a process that has ended, but whose parent never asks how. */
async function zombie(): Promise<number> {
  const { shell, printed: pid } = await startShell("sleep 600 & echo $!");
  await expect.poll(() => readFileSync(`/proc/${shell}/comm`, "utf8")).toBe("sleep\n");
  process.kill(pid, "SIGKILL");
  await expect.poll(() => readFileSync(`/proc/${pid}/stat`, "utf8")).toContain(") Z ");
  return pid;
}

const ended = () => spawnSync("true").pid;

describe("a run without an end", () => {
  it.each<[string, RunStatus, () => object | Promise<object>]>([
    ["of this process", "running", () => ({})],
    [
      "of another process that goes on",
      "running",
      async () => {
        const pid = await living();
        return { pid, process_start: startOf(pid) };
      },
    ],
    ["of a process that was started at a time nobody knows", "running", () => ({ process_start: null })],
    ["of a process that has ended", "lost", () => ({ pid: ended() })],
    [
      "of a zombie",
      "lost",
      async () => {
        const pid = await zombie();
        return { pid, process_start: startOf(pid) };
      },
    ],
    ["of a process whose pid was given again", "lost", () => ({ process_start: startOf(process.pid) - 1 })],
    ["from before the system started", "lost", () => ({ boot_id: "6b2f5a30-0000-4000-8000-000000000000" })],
    ["of version 1", "lost", () => ({ pid: null, process_start: null, host: null, boot_id: null })],
    ["of another host", "unknown", () => ({ host: `${hostname()}.other` })],
    ["of another host, with a pid that is free here", "unknown", () => ({ host: "other", pid: ended() })],
  ])("%s is %s", async (_, status, differences) => {
    record(started(0));
    setProcess(0, await differences());
    expect(await history.list()).toMatchObject([{ status, cancelledBy: null, finishedAt: null, durationMs: null }]);
  });

  it.each<[RunFilter["status"], number[]]>([
    [undefined, [5, 4, 3, 2, 1, 0]],
    ["success", [0]],
    ["failed", [1]],
    ["cancelled", [2]],
    ["running", [3]],
    ["lost", [4]],
    ["unknown", [5]],
    ["unfinished", [5, 4, 3]],
  ])("is found among others by its state: %s", async (status, runs) => {
    for (const [run, end] of (["success", "failed", "cancelled"] as const).entries()) {
      record(started(run), finished(run, end));
    }
    for (const run of [3, 4, 5]) record(started(run));
    setProcess(4, { pid: ended() });
    setProcess(5, { host: "other" });
    const numbers = async (filter: RunFilter) => (await history.list(filter)).map((run) => numberOf(run.execution));
    expect(await numbers({ status })).toEqual(runs);
    expect(await numbers({ status, limit: 1 })).toEqual(runs.slice(0, 1));
  });

  it("has the process that records it", async () => {
    record(started(0));
    const database = openDatabase(path, { mode: "ro" });
    const row = database.prepare("SELECT pid, process_start, host, boot_id FROM run_records").get();
    database.close();
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    expect(row).toEqual({ pid: process.pid, process_start: startOf(process.pid), host: hostname(), boot_id: boot });
  });
});

it("a cancelled run says what cancelled it", async () => {
  record(started(0), { ...finished(0, "cancelled"), cancelledBy: "shutdown" });
  expect(await history.list()).toMatchObject([{ status: "cancelled", cancelledBy: "shutdown" }]);
  expect(await history.events(id(0))).toMatchObject([{}, { status: "cancelled", cancelledBy: "shutdown" }]);
});

describe("trimming", () => {
  const recordNewer = (first: number, count: number) => {
    for (let run = first; run < first + count; run++) {
      // A clock that is set back changes nothing.
      const time = new Date(Date.UTC(2030 - (run % 100), 0)).toISOString();
      record({ ...started(run), time }, finished(run, "success"));
    }
  };
  const kept = async () => (await history.list({ limit: 9999 })).map(({ execution }) => numberOf(execution));

  it("K32: leaves a run that goes on, and its record is complete in the end", async () => {
    const sink = history.recorder((error) => {
      throw error;
    });
    sink(started(0));
    recordNewer(1, 1001);
    const runs = await kept();
    expect([runs.length, runs[0], runs.at(-2), runs.at(-1)]).toEqual([1001, 1001, 2, 0]);
    sink(logged(0, "still here"));
    sink(finished(0, "success"));
    expect(await history.events(id(0))).toEqual([recordedStart(0), logged(0, "still here"), finished(0, "success")]);
    recordNewer(1002, 1);
    expect([(await kept()).length, (await kept()).at(-1)]).toEqual([1000, 3]);
  });

  /** Rows as `count` runs have left them. */
  const addRows = (first: number, count: number, columns: string) =>
    change(
      `WITH RECURSIVE runs (number) AS (SELECT ? UNION ALL SELECT number + 1 FROM runs LIMIT ?)
       INSERT INTO run_records (id, workflow, started_at, masked, status, host, pid)
       SELECT printf('00000000-0000-4000-8000-%012d', number), 'w', '2026-01-01T00:00:00.000Z', '{}', ${columns} FROM runs`,
      first,
      count,
    );

  it.each<[string, object, boolean]>([
    ["a lost run like a finished one", { pid: 2 ** 22 + 1 }, false],
    ["no run of another host", { host: "other" }, true],
  ])("takes %s", async (_, differences, isKept) => {
    record(started(0));
    setProcess(0, differences);
    addRows(1, 999, "'success', NULL, NULL");
    expect(await kept()).toHaveLength(1000);
    record(started(1000));
    expect((await kept()).at(-1)).toBe(isKept ? 0 : 1);
    expect(await history.events(id(0)).catch(({ code }) => code)).toEqual(
      isKept ? [recordedStart(0)] : "RUN_NOT_FOUND",
    );
  });

  it("keeps 1 000 older runs of other hosts, and no more", async () => {
    record(started(0));
    setProcess(0, { host: "other" });
    addRows(1, 1001, "'running', 'other', 1");
    addRows(1002, 999, "'success', NULL, NULL");
    record(started(2001));
    const unknown = await history.list({ status: "unknown", limit: 9999 });
    expect([unknown.length, numberOf(unknown.at(-1)?.execution ?? "")]).toEqual([1000, 2]);
    expect(await kept()).toHaveLength(2000);
  });
});

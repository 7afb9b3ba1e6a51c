import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { ChangeWatch } from "../src/change-watch.ts";
import { type CancelReason, type DurableRun, openRunHistory, type RunHistory } from "../src/index.ts";
import { id, started } from "./run-events.ts";

const RUN = id(1);
const TASK = {
  id: "a",
  needs: [],
  continueOnError: false,
  statusesInIf: new Set<string>(),
  maxAttempts: 3,
  isRepeatable: true,
};
const BEGINNING = {
  workflow: "w",
  file: null,
  secrets: [],
  tasks: [TASK, { ...TASK, id: "b", needs: ["a"] }],
  start: { path: null, texts: {}, inputs: {} },
};

let path: string;
/** Two over one file, as two processes have them. */
let one: RunHistory;
let other: RunHistory;
const told: string[] = [];

beforeEach(async () => {
  path = join(temporaryFolder(), "runs.db");
  [one, other] = await Promise.all([openRunHistory({ path }), openRunHistory({ path })]);
  told.length = 0;
});
afterEach(async () => {
  vi.useRealTimers();
  await one.close();
  await other.close();
});

function durable(history: RunHistory, more: { readonly fromQueue?: boolean } = {}): DurableRun {
  const { run } = history.durable({
    id: RUN,
    from: null,
    cipher: null,
    keepMs: 0,
    onFailure: ({ message }) => void told.push(message),
    ...more,
  });
  run.onCancelled = (by: CancelReason) => void told.push(`cancelled by ${by}`);
  run.onTaken = () => void told.push("taken");
  return run;
}

const queued = { id: RUN, workflow: "w", file: null, start: null };

function change(sql: string): void {
  const database = openDatabase(path);
  database.exec(sql);
  database.close();
}

describe("a run that goes on", () => {
  it("learns that another process has cancelled it, once", async () => {
    const run = durable(one);
    await run.begin(BEGINNING, new Map());
    expect(await other.ledger.cancel(RUN, "user")).toBe("running");
    await expect.poll(() => told).toEqual(["cancelled by user"]);
    await other.ledger.cancel(RUN, "user");
    await run.started("a");
    await run.ended("a", { status: "cancelled" }, null);
    expect(told).toEqual(["cancelled by user"]);
    run.end();
  });

  it("learns it from the next task that may not start, and from its own process at once", async () => {
    const run = durable(one);
    await run.begin(BEGINNING, new Map());
    await one.ledger.cancel(RUN, "superseded");
    await run.started("a");
    expect(told).toEqual(["cancelled by superseded"]);
    run.end();
  });

  it("does not learn it after its end", async () => {
    const run = durable(one);
    await run.begin(BEGINNING, new Map());
    run.end();
    await other.ledger.cancel(RUN, "user");
    let looks = 0;
    const end = one.watch(async () => {
      looks += 1;
    });
    await expect.poll(() => looks).toBe(1);
    end();
    expect(told).toEqual([]);
  });

  it("that another process goes on with is taken, not cancelled", async () => {
    const run = durable(one);
    await run.begin(BEGINNING, new Map());
    await other.ledger.cancel(RUN, "user");
    change("UPDATE run_records SET pid = NULL");
    await other.ledger.resume({ ...BEGINNING, id: RUN, owner: { token: "t" }, after: 1, finished: new Map() });
    await expect.poll(() => told.at(-1)).toBe("taken");
    run.end();
  });

  it.each([
    ["lost", "pid = 999999999", "RUN_ENDED"],
    ["on another host", "host = 'other'", "unknown"],
    ["ended", "status = 'success'", "RUN_ENDED"],
  ])("and is %s", async (_, set, expected) => {
    const run = durable(one);
    await run.begin(BEGINNING, new Map());
    run.end();
    change(`UPDATE run_records SET ${set}`);
    expect(await other.ledger.cancel(RUN, "user").catch(({ code }) => code)).toBe(expected);
  });

  it("that is only recorded cannot be cancelled", async () => {
    one.recorder(() => undefined)(started(1));
    await expect(other.ledger.cancel(RUN, "user")).rejects.toMatchObject({
      code: "RUN_ENDED",
      details: { reason: "recorded" },
    });
  });
});

describe("a run that waits", () => {
  it("ends at once, is recorded, and does not begin", async () => {
    await one.queued.add(queued, "key");
    expect(await other.ledger.cancel(RUN, "user")).toBe("cancelled");
    expect([await one.queued.find(RUN), [...(await one.queued.ours())]]).toEqual([null, []]);
    expect(await one.list()).toMatchObject([
      { execution: RUN, workflow: "w", status: "cancelled", cancelledBy: "user" },
    ]);
    expect((await one.events(RUN)).map(({ event }) => event)).toEqual(["run.started", "run.warning", "run.finished"]);
    await expect(durable(one, { fromQueue: true }).begin(BEGINNING, new Map())).rejects.toMatchObject({
      code: "RUN_ENDED",
    });
    await expect(other.ledger.cancel(RUN, "user")).rejects.toMatchObject({ code: "RUN_ENDED" });
    // Its key is still its key.
    expect(await one.queued.add({ ...queued, id: id(2) }, "key")).toBe(RUN);
    expect(told).toEqual([]);
  });

  it("begins where nobody has cancelled it", async () => {
    await one.queued.add(queued);
    const run = durable(one, { fromQueue: true });
    await run.begin(BEGINNING, new Map());
    run.end();
    expect(await other.list({ status: "running" })).toHaveLength(1);
  });

  it("to go on stays as it was", async () => {
    const run = durable(one);
    await run.begin(BEGINNING, new Map());
    run.end();
    change("UPDATE run_records SET pid = 999999999");
    await one.queued.add(queued);
    expect(await other.ledger.cancel(RUN, "user")).toBe("lost");
    const again = { ...BEGINNING, id: RUN, owner: { token: "t" }, after: 1, finished: new Map(), fromQueue: true };
    await expect(one.ledger.resume(again)).rejects.toMatchObject({ code: "RUN_ENDED" });
    expect(await one.list()).toMatchObject([{ status: "lost", cancelledBy: null }]);
  });

  it("is found by its beginning by those who look for it", async () => {
    await one.queued.add(queued);
    await expect(one.find(RUN.slice(0, 13))).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    expect(await one.find(RUN.slice(0, 13), { withQueued: true })).toBe(RUN);
    await one.queued.add({ ...queued, id: id(2) });
    await expect(one.find(RUN.slice(0, 13), { withQueued: true })).rejects.toMatchObject({ code: "RUN_AMBIGUOUS" });
    await expect(one.find("last", { withQueued: true })).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  });
});

it("a run that had begun in memory when it was cancelled in the queue is told, and not recorded", async () => {
  await one.queued.add(queued);
  const locker = openDatabase(path);
  locker.exec("BEGIN IMMEDIATE; DELETE FROM queued_runs");
  const run = durable(one, { fromQueue: true });
  // It begins all the same once the lock has lasted for a second.
  await run.begin(BEGINNING, new Map());
  locker.exec("COMMIT");
  locker.close();
  await expect.poll(() => told, { timeout: 30_000 }).toEqual(["cancelled by user"]);
  expect(await other.list()).toEqual([]);
  run.end();
});

it.each([1, 2, 3, 4])("runs of a file of version %s", async (version) => {
  copyFileSync(join(import.meta.dirname, `fixtures/v${version}/runs.db`), path);
  const runs = await other.list({ limit: 1000 });
  for (const { execution, status } of runs) {
    const answer = await other.ledger.cancel(execution, "user").catch(({ code }) => code);
    expect([status, answer]).toEqual([status, status === "unknown" && version > 2 ? "unknown" : "RUN_ENDED"]);
  }
  expect(runs.length).toBeGreaterThan(0);
  await expect(other.ledger.cancel(id(99), "user")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});

it("a history that is not there has no run, and none is made", async () => {
  const none = await openRunHistory({ path: join(temporaryFolder(), "none", "runs.db") });
  await expect(none.ledger.cancel(RUN, "user")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  expect(await none.list()).toEqual([]);
  await none.close();
});

describe("a watch", () => {
  function counted(watch: Pick<RunHistory, "watch">) {
    let count = 0;
    const end = watch.watch(async () => {
      count += 1;
      if (count === 1) throw new Error("fails");
    });
    return { end, count: () => count };
  }

  it("looks first soon, then after each change of others, until it is ended, whatever a look does", async () => {
    one.recorder(() => undefined)(started(1));
    const { end, count } = counted(one);
    await expect.poll(count).toBe(1);
    for (const round of [2, 3]) {
      other.recorder(() => undefined)(started(round));
      await expect.poll(count).toBe(round);
    }
    end();
  });

  it("looks at nothing while nobody wants to know, or nothing has changed", async () => {
    vi.useFakeTimers();
    let asked = 0;
    const watch = new ChangeWatch(() => {
      asked += 1;
      return "same";
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toBe(0);
    let looks = 0;
    const end = watch.add(async () => {
      looks += 1;
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect([asked, looks]).toEqual([20, 1]);
    watch.tell();
    await vi.advanceTimersByTimeAsync(0);
    expect(looks).toBe(2);
    end();
    asked = 0;
    await vi.advanceTimersByTimeAsync(10_000);
    expect([asked, looks]).toEqual([0, 2]);
  });

  it("goes on where the database cannot be read for a while", async () => {
    vi.useFakeTimers();
    let works = false;
    const watch = new ChangeWatch(() => {
      if (!works) throw new Error("locked");
      return 1;
    });
    let looks = 0;
    watch.add(async () => {
      looks += 1;
    });
    watch.tell();
    await vi.advanceTimersByTimeAsync(1000);
    expect(looks).toBe(0);
    works = true;
    await vi.advanceTimersByTimeAsync(1000);
    expect(looks).toBe(1);
  });

  it("that is ended while it looks is not begun again", async () => {
    vi.useFakeTimers();
    let asked = 0;
    const watch = new ChangeWatch(() => (asked += 1));
    let again = (): void => undefined;
    const end = watch.add(async () => {
      end();
      again = watch.add(async () => undefined);
    });
    await vi.advanceTimersByTimeAsync(1000);
    asked = 0;
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked).toBe(2);
    again();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toBe(2);
  });
});

import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openRunHistory, type RunGroup, type RunHistory } from "../src/index.ts";
import { finished, id } from "./run-events.ts";

let path: string;
/** Two over one file. They are of one process, unless its rows are changed. */
let one: RunHistory;
let other: RunHistory;

beforeEach(async () => {
  path = join(temporaryFolder(), "runs.db");
  [one, other] = await Promise.all([openRunHistory({ path }), openRunHistory({ path })]);
});
afterEach(async () => {
  await one.close();
  await other.close();
});

async function add(run: number, busy: RunGroup["busy"] = "queue", name = "g", history = one): Promise<void> {
  await history.queued.add({ id: id(run), workflow: "w", file: null, start: null, group: { name, busy } });
}
const turn = async (run: number, history = one) => await history.queued.takeTurn(id(run));
const tokenOf = (run: number) => ({ token: `token ${run}` });
async function begin(run: number): Promise<void> {
  expect(await turn(run)).toBe("begin");
  const more = { workflow: "w", file: null, secrets: [], tasks: [], owner: tokenOf(run) };
  await one.ledger.createRun({ id: id(run), fromQueue: true, ...more });
}
const end = async (run: number) => await one.ledger.append(id(run), [finished(run, "success")]);
const listed = async () =>
  (await other.list()).map(({ execution, status, cancelledBy }) => [Number(execution.slice(-2)), status, cancelledBy]);
function change(sql: string): void {
  const database = openDatabase(path);
  database.exec(sql);
  database.close();
}

describe("runs of a group that queues", () => {
  it("begin one after the other, in their order, whoever asks first", async () => {
    for (const run of [1, 2, 3]) await add(run, "queue", "g", run === 2 ? other : one);
    await add(4, "queue", "another");
    expect([await turn(3), await turn(2, other), await turn(4)]).toEqual(["busy", "busy", "begin"]);
    expect([await turn(1), await turn(1)]).toEqual(["begin", "begin"]);
    expect(await turn(2, other)).toBe("busy");
    await begin(1);
    expect(await turn(2, other)).toBe("busy");
    await end(1);
    expect([await turn(3), await turn(2, other)]).toEqual(["busy", "begin"]);
  });

  it("do not wait for one that is cancelled before it begins, or taken elsewhere", async () => {
    for (const run of [1, 2]) await add(run);
    expect([await turn(1), await turn(2)]).toEqual(["begin", "busy"]);
    await other.ledger.cancel(id(1), "user");
    expect([await turn(1), await turn(2)]).toEqual(["gone", "begin"]);
  });

  it.each([
    ["waits, and is lost", async () => undefined, "queued_runs SET pid = 999999999", "begin"],
    ["is about to begin, and is lost", async () => void (await turn(1)), "queued_runs SET pid = 999999999", "begin"],
    ["goes on, and is lost", async () => await begin(1), "run_records SET pid = 999999999", "begin"],
    ["goes on elsewhere", async () => await begin(1), "run_records SET host = 'other'", "busy"],
    ["went on elsewhere", async () => await begin(1), "run_records SET host = 'other', held_until = 0", "begin"],
    ["goes on, and says nothing", async () => await begin(1), "run_records SET held_until = 0", "busy"],
    ["waits elsewhere", async () => undefined, "queued_runs SET host = 'other'", "busy"],
    ["waited elsewhere", async () => undefined, "queued_runs SET host = 'other', until = 0", "begin"],
  ])("where one before %s", async (_, prepare, set, expected) => {
    await add(1);
    await prepare();
    change(`UPDATE ${set}`);
    await add(2);
    expect(await turn(2)).toBe(expected);
  });

  it("of a server of another host that tells that it is there keep their group", async () => {
    await add(1);
    await begin(1);
    change("UPDATE run_records SET held_until = 0");
    await one.queued.beat();
    change("UPDATE run_records SET host = 'other'");
    await add(2);
    expect(await turn(2)).toBe("busy");
  });

  it("do not wait for one that has ended, and whose end could not be recorded", async () => {
    for (const run of [1, 2]) await add(run);
    await begin(1);
    await one.queued.leaveGroup(id(1));
    expect(await turn(2)).toBe("begin");
  });

  it("have it again when they are resumed by a server, and not otherwise", async () => {
    await add(1);
    await begin(1);
    await one.ledger.append(id(1), [finished(1, "failed")]);
    const resumed = { id: id(1), workflow: "w", file: null, secrets: [], tasks: [], finished: new Map() };
    await add(1);
    await one.ledger.resume({ ...resumed, owner: tokenOf(1), after: 1, fromQueue: true });
    await add(2);
    expect(await turn(2)).toBe("busy");
    await one.ledger.append(id(1), [finished(1, "failed")]);
    await one.ledger.resume({ ...resumed, owner: tokenOf(3), after: 2 });
    expect(await turn(2)).toBe("begin");
  });
});

describe("a run of a group that skips", () => {
  it.each([
    ["waits", async () => undefined],
    ["is about to begin", async () => void (await turn(1))],
    ["goes on", async () => await begin(1)],
  ])("is refused while one %s, without a trace", async (_, prepare) => {
    await add(1);
    await prepare();
    const queued = { id: id(2), workflow: "w", file: null, start: null, group: { name: "g", busy: "skip" } } as const;
    await expect(other.queued.add(queued, "key")).rejects.toMatchObject({ code: "RUN_LEFT_OUT" });
    expect(await other.queued.find(id(2))).toBeNull();
    expect(await other.queued.add({ ...queued, group: undefined }, "key")).toBe(id(2));
  });

  it("begins after the one before, and beside one that is lost or of another group", async () => {
    await add(1, "skip");
    await begin(1);
    await add(2, "skip", "another");
    await end(1);
    await add(3, "skip");
    change("UPDATE queued_runs SET pid = 999999999");
    await add(4, "skip");
    expect(await turn(4)).toBe("begin");
  });

  it("of the same key gets the first one, also while its group is busy", async () => {
    const queued = { id: id(1), workflow: "w", file: null, start: null, group: { name: "g", busy: "skip" } } as const;
    expect(await one.queued.add(queued, "key")).toBe(id(1));
    expect(await other.queued.add({ ...queued, id: id(2) }, "key")).toBe(id(1));
  });
});

describe("a run of a group that cancels", () => {
  it("takes the place of those before it, wherever they are", async () => {
    await add(1, "cancel");
    await begin(1);
    await add(2);
    await add(3, "cancel", "another");
    await add(4, "cancel", "g", other);
    expect(await one.ledger.ownership(id(1), tokenOf(1).token)).toEqual({ isHeld: true, cancelledBy: "superseded" });
    expect(await listed()).toEqual([
      [2, "cancelled", "superseded"],
      [1, "running", null],
    ]);
    expect([await turn(4, other), await turn(3)]).toEqual(["busy", "begin"]);
    await end(1);
    expect(await turn(4, other)).toBe("begin");
    await add(5, "cancel");
    expect([await turn(4, other), await turn(5)]).toEqual(["gone", "begin"]);
    const run = { id: id(4), workflow: "w", file: null, secrets: [], tasks: [], owner: tokenOf(4), fromQueue: true };
    await expect(other.ledger.createRun(run)).rejects.toMatchObject({ code: "RUN_ENDED" });
  });

  it("leaves those that are lost to whoever resumes them", async () => {
    await add(1);
    await begin(1);
    change("UPDATE run_records SET pid = 999999999");
    await add(2, "cancel");
    expect([await turn(2), await listed()]).toEqual(["begin", [[1, "lost", null]]]);
  });
});

it("a queue of version 4 is read and taken over before anything is written", async () => {
  copyFileSync(join(import.meta.dirname, "fixtures/v4/runs.db"), path);
  const waits = { id: id(44), workflow: "waits", file: "/w.yaml" };
  expect(await one.queued.list()).toEqual([waits]);
  expect(await one.queued.takeLost(10)).toEqual([{ ...waits, start: null }]);
  expect(await turn(44)).toBe("begin");
});

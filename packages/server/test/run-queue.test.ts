import { RunCancellation } from "@autokestra/engine";
import type { Turn } from "@autokestra/runs";
import { describe, expect, it } from "vitest";
import { RunQueue, type RunQueueOptions, type WaitingRun } from "../src/run-queue.ts";

/** Runs that end when they are told to, or when they are cancelled. */
function place(options: RunQueueOptions = {}) {
  const queue = new RunQueue(options);
  const ends = new Map<string, () => void>();
  const log: string[] = [];

  function add(id: string, more: Partial<WaitingRun> = {}): void {
    queue.add({
      id,
      workflow: "demo",
      async execute(signal) {
        log.push(`${id} started`);
        await new Promise<void>((resolve) => {
          ends.set(id, resolve);
          if (signal.aborted) resolve();
          signal.addEventListener("abort", () => resolve());
        });
        const { reason } = signal;
        log.push(reason instanceof RunCancellation ? `${id} cancelled by ${reason.by}` : `${id} ended`);
      },
      cancel: async (by) => void log.push(`${id} cancelled by ${by}`),
      takeTurn: async () => "begin",
      leave: () => void log.push(`${id} left`),
      ...more,
    });
  }

  async function end(id: string): Promise<void> {
    await settled();
    ends.get(id)?.();
    await settled();
  }

  return { queue, add, end, log };
}

const settled = async () => await new Promise((resolve) => setImmediate(resolve));

describe("runs", () => {
  it("go on at most so many at once as was said last; none is stopped for it", async () => {
    const { queue, add, end, log } = place({ maxRuns: 1 });
    for (const id of ["a", "b", "c", "d"]) add(id);
    queue.limit(3);
    expect([queue.running(), queue.waiting()]).toEqual([["a", "b", "c"], ["d"]]);
    queue.limit(1);
    await end("a");
    await end("b");
    expect([queue.running(), queue.waiting()]).toEqual([["c"], ["d"]]);
    queue.limit(undefined);
    expect(queue.running()).toEqual(["c", "d"]);
    for (const id of ["c", "d"]) await end(id);
    expect(log.filter((line) => line.includes("cancelled"))).toEqual([]);
  });

  it("of busy groups wait again, also where there is no room for them", async () => {
    const { queue, add } = place({ maxRuns: 1, maxWaiting: 1 });
    for (const id of ["a", "b"]) add(id, { group: `group of ${id}`, takeTurn: async () => "busy" });
    await settled();
    expect(queue.waiting()).toEqual(["a", "b"]);
    expect(queue.room).toBe(0);
  });

  it("are told of where they cannot begin", async () => {
    let told = 0;
    const queue = new RunQueue({ maxRuns: 1 }, () => {
      told += 1;
    });
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const run = { workflow: "demo", takeTurn: async (): Promise<Turn> => "begin", leave: () => undefined };
    queue.add({ ...run, id: "a", execute: async () => await ended, cancel: async () => undefined });
    expect(told).toBe(0);
    queue.add({ ...run, id: "b", execute: async () => undefined, cancel: async () => undefined });
    expect(told).toBe(1);
    end();
    await expect.poll(() => queue.running()).toEqual([]);
    expect(told).toBe(1);
  });

  it("go on at most so many at once, and wait in their order", async () => {
    const { queue, add, end, log } = place({ maxRuns: 2 });
    for (const id of ["a", "b", "c", "d"]) add(id);
    expect([queue.running(), queue.waiting()]).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
    await end("b");
    expect([queue.running(), queue.waiting()]).toEqual([["a", "c"], ["d"]]);
    for (const id of ["a", "c", "d"]) await end(id);
    expect(log.filter((line) => line.endsWith("started"))).toEqual([
      "a started",
      "b started",
      "c started",
      "d started",
    ]);
    expect(queue.isBusyWith("demo")).toBe(false);
  });

  it("are refused where too many wait, and after the queue was closed", async () => {
    const { queue, add } = place({ maxRuns: 1, maxWaiting: 1 });
    add("a");
    add("b");
    expect(() => add("c")).toThrow(expect.objectContaining({ code: "QUEUE_FULL", details: { retryAfterSeconds: 10 } }));
    await queue.drain(0);
    expect(() => add("d")).toThrow(expect.objectContaining({ code: "SHUTTING_DOWN" }));
  });

  it("are refused where those that wait keep too many bytes", async () => {
    const { queue, add, end } = place({ maxRuns: 1, maxWaitingBytes: 100 });
    add("a", { bytes: 1000 });
    add("b", { bytes: 60 });
    expect(() => add("c", { bytes: 41 })).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
    add("c", { bytes: 40 });
    add("d");
    expect(() => queue.check(1)).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
    await end("a");
    queue.check(60);
    expect(queue.waiting()).toEqual(["c", "d"]);
  });

  it("are cancelled while they go on, and forgotten while they wait", async () => {
    const { queue, add, log } = place({ maxRuns: 1 });
    for (const id of ["a", "b", "c"]) add(id);
    expect([queue.cancel("b"), queue.cancel("a"), queue.cancel("none")]).toEqual([false, true, false]);
    expect([queue.drop("b"), queue.drop("a"), queue.drop("none")]).toEqual([true, false, false]);
    await settled();
    expect(log).toEqual(["a started", "a cancelled by user", "c started"]);
    expect(queue.running()).toEqual(["c"]);
  });
});

describe("runs of one group", () => {
  const group = { group: "g" };

  /** Runs of a group that another server has until it is freed. */
  function busy(queue: RunQueueOptions = {}) {
    const made = place(queue);
    let turn: Turn = "busy";
    return {
      ...made,
      held: (id: string) => made.add(id, { ...group, takeTurn: async () => turn }),
      turn: (next: Turn) => {
        turn = next;
      },
    };
  }

  it("go on one after the other, and others pass", async () => {
    const { queue, add, end } = place();
    add("a", group);
    add("b", group);
    add("c");
    expect([queue.running(), queue.waiting()]).toEqual([["a", "c"], ["b"]]);
    await settled();
    await end("a");
    expect(queue.running()).toEqual(["c", "b"]);
  });

  it("wait in their place while another server has the group, without a slot, and begin in their order", async () => {
    const { queue, add, held, end, turn, log } = busy({ maxRuns: 2 });
    held("a");
    held("b");
    add("c");
    await settled();
    expect([queue.running(), queue.waiting()]).toEqual([["c"], ["a", "b"]]);
    queue.retry();
    await settled();
    expect([queue.running(), queue.waiting()]).toEqual([["c"], ["a", "b"]]);
    turn("begin");
    queue.retry();
    await settled();
    expect([queue.running(), queue.waiting()]).toEqual([["c", "a"], ["b"]]);
    await end("a");
    await settled();
    expect(log).toEqual(["c started", "a started", "a ended", "b started"]);
  });

  it("leave where they wait here no more", async () => {
    const { queue, held, turn, log } = busy();
    turn("gone");
    held("a");
    await settled();
    expect([queue.running(), queue.waiting(), log]).toEqual([[], [], ["a left"]]);
  });

  it.each([
    ["user", (queue: RunQueue) => void queue.cancel("a")],
    ["shutdown", (queue: RunQueue) => void queue.drain(60_000)],
  ])("that are cancelled (%s) while they ask for their turn do not wait again", async (by, stop) => {
    const { queue, held, log } = busy();
    held("a");
    stop(queue);
    await settled();
    expect([queue.running(), queue.waiting(), log]).toEqual([[], [], [`a cancelled by ${by}`]]);
  });
});

describe("drain", () => {
  it("lets runs end in their time, and records those that wait as cancelled", async () => {
    const { queue, add, end, log } = place({ maxRuns: 1 });
    add("a");
    add("b");
    const drained = queue.drain(60_000);
    await settled();
    await end("a");
    await drained;
    expect(log.toSorted()).toEqual(["a ended", "a started", "b cancelled by shutdown"]);
  });

  it("cancels what takes longer", async () => {
    const { queue, add, log } = place();
    add("a");
    await queue.drain(1);
    expect(log).toEqual(["a started", "a cancelled by shutdown"]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type NeededTask,
  nextState,
  type Stop,
  settle,
  type TaskNode,
  type TaskState,
  TaskStates,
  type TaskTable,
} from "../src/task-states.ts";

function node(id: string, needs: readonly string[] = [], more: Partial<TaskNode> = {}): TaskNode {
  return { id, needs, continueOnError: false, statusesInIf: new Set(), ...more };
}

const STATES = [
  "blocked",
  "ready",
  "running",
  "success",
  "failed",
  "failed, and goes on",
  "skipped",
  "cancelled",
] as const;
type Named = (typeof STATES)[number];

function need(id: string, state: Named): NeededTask {
  return state === "failed, and goes on"
    ? { id, state: "failed", continueOnError: true }
    : { id, state, continueOnError: false };
}

function neededOf(nodes: readonly TaskNode[], states: TaskStates, id: string): NeededTask {
  const { continueOnError = false } = nodes.find((one) => one.id === id) ?? {};
  return { id, state: states.state(id) ?? "blocked", continueOnError };
}

/** What a task becomes whose only need is in this state: FLOW 2, row by row. */
const ROWS: Readonly<Record<Named, ReturnType<typeof nextState>>> = {
  blocked: "blocked",
  ready: "blocked",
  running: "blocked",
  success: "ready",
  failed: "skipped",
  "failed, and goes on": "ready",
  skipped: "skipped",
  cancelled: "cancelled",
};

describe("the state of a task", () => {
  it("without needs: it starts", () => {
    expect(nextState(node("t"), [], null)).toBe("ready");
  });

  it.each(Object.entries(ROWS) as [Named, string][])("that needs one that is %s: %s", (state, expected) => {
    expect(nextState(node("t", ["a"]), [need("a", state)], null)).toBe(expected);
  });

  const pairs = STATES.flatMap((one) => STATES.map((other) => [one, other] as const));
  it.each(pairs)("that needs one that is %s and one that is %s", (one, other) => {
    const [first, second] = [ROWS[one], ROWS[other]];
    const order = ["cancelled", "skipped", "blocked", "ready"] as const;
    const expected = order.find((state) => state === first || state === second);
    expect(nextState(node("t", ["a", "b"]), [need("a", one), need("b", other)], null)).toBe(expected);
  });

  it.each([
    ["skipped", ["a"], "ready"],
    ["skipped", ["other"], "skipped"],
    ["failed", ["a"], "skipped"],
    ["cancelled", ["a"], "cancelled"],
    ["running", ["a"], "blocked"],
  ] as const)("that needs one that is %s, with an if that names the status of %s: %s", (state, named, expected) => {
    const task = node("t", ["a"], { statusesInIf: new Set(named) });
    expect(nextState(task, [need("a", state)], null)).toBe(expected);
  });

  it("needs its if to name every skipped task", () => {
    const task = node("t", ["a", "b"], { statusesInIf: new Set(["a"]) });
    expect(nextState(task, [need("a", "skipped"), need("b", "skipped")], null)).toBe("skipped");
  });

  const stops: readonly [Stop, Named, string][] = STATES.flatMap((state): [Stop, Named, string][] => [
    ["failed", state, state === "cancelled" ? "cancelled" : "skipped"],
    ["cancelled", state, "cancelled"],
  ]);
  it.each(stops)("after a stop (%s), with a need that is %s: %s", (stop, state, expected) => {
    expect(nextState(node("t", ["a"]), [need("a", state)], stop)).toBe(expected);
  });
});

describe("the states of all tasks", () => {
  it("start what is ready, and then what needed it", () => {
    const states = new TaskStates([node("a"), node("b", ["a"]), node("c", ["a", "b"])]);
    expect(states.begin()).toEqual([{ id: "a", state: "ready" }]);
    expect(states.claim("b")).toBe(false);
    expect(states.claim("a")).toBe(true);
    expect(states.claim("a")).toBe(false);
    expect(states.finish("a", "success")).toEqual([{ id: "b", state: "ready" }]);
    expect(states.state("c")).toBe("blocked");
    states.claim("b");
    expect(states.finish("b", "success")).toEqual([{ id: "c", state: "ready" }]);
  });

  it("let nothing start after a failure, also what was ready", () => {
    const states = new TaskStates([node("a"), node("b"), node("c", ["b"]), node("d"), node("after", ["a"])]);
    states.begin();
    states.claim("a");
    states.claim("d");
    expect(states.finish("a", "failed")).toEqual([
      { id: "b", state: "skipped" },
      { id: "c", state: "skipped" },
      { id: "after", state: "skipped" },
    ]);
    expect(states.claim("b")).toBe(false);
    expect(states.state("d")).toBe("running");
    expect(states.finish("d", "success")).toEqual([]);
    expect(states.stopped).toBe("failed");
  });

  it("go on after a failure that is to be ignored", () => {
    const states = new TaskStates([node("a", [], { continueOnError: true }), node("b", ["a"])]);
    states.begin();
    states.claim("a");
    expect(states.finish("a", "failed")).toEqual([{ id: "b", state: "ready" }]);
    expect(states.stopped).toBeNull();
  });

  it("skip along a chain, as far as no if names the status", () => {
    const asks = node("asks", ["b"], { statusesInIf: new Set(["b"]) });
    const states = new TaskStates([node("a"), node("b", ["a"]), node("c", ["b"]), asks]);
    states.begin();
    states.claim("a");
    expect(states.finish("a", "skipped")).toEqual([
      { id: "b", state: "skipped" },
      { id: "c", state: "skipped" },
      { id: "asks", state: "ready" },
    ]);
  });

  it("are cancelled with the run, and a failure does not change that", () => {
    const states = new TaskStates([node("a"), node("b"), node("c", ["a"])]);
    states.begin();
    states.claim("a");
    expect(states.stop("cancelled")).toEqual([
      { id: "b", state: "cancelled" },
      { id: "c", state: "cancelled" },
    ]);
    expect(states.finish("a", "failed")).toEqual([]);
    expect(states.stopped).toBe("cancelled");
    const other = new TaskStates([node("a"), node("b", ["a"])]);
    other.begin();
    other.claim("a");
    expect(other.finish("a", "cancelled")).toEqual([{ id: "b", state: "cancelled" }]);
  });

  it("give every task exactly one end, whatever happens in which order", () => {
    const graph = fc.array(
      fc.record({ needs: fc.array(fc.nat(), { maxLength: 3 }), goesOn: fc.boolean(), asks: fc.boolean() }),
      { minLength: 1, maxLength: 12 },
    );
    const ends = fc.array(fc.tuple(fc.nat(), fc.constantFrom("success", "failed", "skipped", "cancelled")));
    fc.assert(
      fc.property(graph, ends, fc.option(fc.nat({ max: 20 })), (tasks, script, cancelAt) => {
        const nodes = tasks.map(({ needs, goesOn, asks }, at) => {
          const ids = at === 0 ? [] : [...new Set(needs.map((n) => `t${n % at}`))];
          return node(`t${at}`, ids, { continueOnError: goesOn, statusesInIf: new Set(asks ? ids : []) });
        });
        const states = new TaskStates(nodes);
        const ended = new Map<string, string>();
        const ready = new Set<string>();
        const take = (changes: readonly { id: string; state: string }[]) => {
          for (const { id, state } of changes) {
            if (state === "ready") ready.add(id);
            else {
              expect(ended.has(id)).toBe(false);
              ended.set(id, state);
              ready.delete(id);
            }
          }
        };
        take(states.begin());
        for (let step = 0; ready.size > 0; step++) {
          if (step === cancelAt) take(states.stop("cancelled"));
          const [pick = 0, end = "success"] = script[step] ?? [];
          const id = [...ready][pick % ready.size];
          if (id === undefined) break;
          ready.delete(id);
          expect(states.claim(id)).toBe(true);
          ended.set(id, end);
          take(states.finish(id, end));
          // What was not looked at again has nothing to be decided.
          for (const task of nodes.filter((one) => states.state(one.id) === "blocked")) {
            const needed = task.needs.map((one) => neededOf(nodes, states, one));
            expect(nextState(task, needed, states.stopped)).toBe("blocked");
          }
        }
        expect([...ended.keys()].sort()).toEqual(nodes.map(({ id }) => id).sort());
      }),
    );
  });

  const ids = Array.from({ length: 1000 }, (_, at) => `t${at}`);
  it.each([
    ["in their order", ids],
    ["in the other order", ids.toReversed()],
    ["in no order", ids.map((_, at) => `t${(at * 389) % ids.length}`)],
  ])("are looked at a few times for each task that one needs, when these end %s", (_, order) => {
    const states = new Map<string, TaskState>(ids.map((id) => [id, "running"]));
    let looks = 0;
    const table: TaskTable = {
      task: (id) => node(id, id === "all" ? ids : []),
      state(id) {
        looks += 1;
        return id === "all" ? "blocked" : states.get(id);
      },
      set: () => undefined,
      dependents: () => [],
    };
    const changes = order.flatMap((id) => {
      states.set(id, "success");
      return settle(table, ["all"], null, id);
    });
    expect(changes).toEqual([{ id: "all", state: "ready" }]);
    expect(looks).toBeLessThan(20 * ids.length);
  });

  it("are settled in a time that grows with the number of tasks", () => {
    const chain = Array.from({ length: 20_000 }, (_, at) => node(`t${at}`, at === 0 ? [] : [`t${at - 1}`]));
    const states = new TaskStates(chain);
    states.begin();
    states.claim("t0");
    expect(states.finish("t0", "failed")).toHaveLength(19_999);
  });
});

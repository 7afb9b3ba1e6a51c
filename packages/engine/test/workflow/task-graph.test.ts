import { describe, expect, it } from "vitest";
import { createTaskGraph } from "../../src/workflow/task-graph.ts";

function tasks(needs: Readonly<Record<string, string[]>>): Parameters<typeof createTaskGraph>[0] {
  return Object.entries(needs).map(([id, list]) => ({ id, type: "core/console.log", needs: list, inputs: {} }));
}

describe("createTaskGraph", () => {
  it("knows what comes before, near and far", () => {
    const graph = createTaskGraph(tasks({ d: ["b", "c"], b: ["a"], c: ["a"], a: [], e: [] }));
    expect(graph.problems).toEqual([]);
    expect([...graph.before("d")].sort()).toEqual(["a", "b", "c"]);
    expect([...graph.before("e")]).toEqual([]);
  });

  it("names the circle", () => {
    expect(createTaskGraph(tasks({ x: [], a: ["b"], b: ["c"], c: ["a"] })).problems).toEqual([
      { message: "Tasks depend on each other in a cycle: a -> b -> c -> a", task: 1 },
    ]);
    expect(createTaskGraph(tasks({ a: ["a"] })).problems).toEqual([
      { message: "Tasks depend on each other in a cycle: a -> a", task: 0 },
    ]);
  });
});

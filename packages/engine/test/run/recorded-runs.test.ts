import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRunHistory, type RunEvent, type RunHistory, toJson } from "@autokestra/runs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseWorkflow, runWorkflow } from "../../src/index.ts";

let folder: string;
let path: string;
const open: RunHistory[] = [];
const failures: Error[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "runs-"));
  path = join(folder, "runs.db");
});

afterEach(async () => {
  expect(failures.splice(0)).toEqual([]);
  for (const history of open.splice(0)) await history.close();
  rmSync(folder, { recursive: true, force: true });
});

async function openHistory(): Promise<RunHistory> {
  const history = await openRunHistory({ path });
  open.push(history);
  return history;
}

describe("the history of a run", () => {
  it("gives back every event of a run as it was, and what became of the run", async () => {
    const events: RunEvent[] = [];
    const record = (await openHistory()).recorder((error) => failures.push(error));
    const tasks = [
      "  - { id: a, type: core/console.log, inputs: { message: { deep: [1, null, ü] } } }",
      "  - { id: b, type: core/http.get, needs: [a], inputs: { url: 'no url' } }",
    ];
    const workflow = parseWorkflow(["apiVersion: v1", "id: w", "tasks:", ...tasks].join("\n"), "w.yaml");
    const sink = (event: RunEvent) => {
      events.push(event);
      record(event);
    };
    const { execution, durationMs, time } = await runWorkflow(workflow, { sources: [], sink });
    const another = await openHistory();
    expect(JSON.stringify(await another.events(execution))).toBe(`[${events.map(toJson).join(",")}]`);
    const startedAt = events[0]?.time;
    const summary = { execution, workflow: "w", status: "failed", cancelledBy: null, startedAt };
    expect(await another.list()).toEqual([{ ...summary, finishedAt: time, durationMs, masked: {} }]);
  });

  it("has no more of the workflow's id than was printed", async () => {
    const secret = "acme-prod-eu1";
    const workflow = parseWorkflow(
      `{ apiVersion: v1, id: ${secret}, secrets: [TOKEN], tasks: [{ id: a, type: core/console.log, inputs: { message: x } }] }`,
      "w.yaml",
    );
    const history = await openHistory();
    const found = { type: "apiKey", fields: { value: secret }, expiresAt: null } as const;
    const source = { id: "test", lookup: async () => ({ status: "found", secret: found }) as const };
    await runWorkflow(workflow, { sources: [source], sink: history.recorder((error) => failures.push(error)) });
    expect((await history.list())[0]?.workflow).toBe("***SECRET***");
    await history.close();
    expect(readFileSync(path).includes(secret)).toBe(false);
  });
});

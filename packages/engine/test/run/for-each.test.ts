import { defineAction, z } from "@autokestra/plugin-sdk";
import { beforeEach, describe, expect, it } from "vitest";
import { logged, type Outcome, tryRun, warned } from "./try-run.ts";

const input = z.record(z.string(), z.unknown());
let running = 0;
let most = 0;
let started: unknown[] = [];
let ended: unknown[] = [];
beforeEach(() => {
  ended = [];
  running = 0;
  most = 0;
  started = [];
});

const actions = {
  item: defineAction({
    input,
    async run(given, { log, task, execution }) {
      started.push(given["n"]);
      running += 1;
      most = Math.max(most, running);
      const { after } = given;
      if (typeof after === "string") await expect.poll(() => ended, { interval: 5 }).toContain(after);
      else await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      if (given["fail"] === given["n"]) throw new Error(`no ${String(given["n"])}`);
      log.info(`${task.id} of ${execution.workflow}`);
      ended.push(given["n"]);
      return { n: given["n"], at: given["at"], key: `k3y-${String(given["n"])}-secret` };
    },
  }),
  list: defineAction({ input, run: (given) => given["list"] }),
};

const run = async (task: string, head = "inputs: { list: { type: json, default: [a, b, c, d] } }"): Promise<Outcome> =>
  await tryRun(`  - id: each\n    type: test/do.item\n    forEach: "{{ inputs.list }}"\n${task}`, { actions, head });

describe("forEach", () => {
  it("has the outputs in the order of the items, whichever ends first, and each item in the run", async () => {
    const outcome = await run(
      `    concurrency: 4\n    inputs: { n: "{{ item.name }}", at: "{{ index }}", after: "{{ item.after }}" }\n`,
      "inputs: { list: { type: json, default: [{ name: a, after: c }, { name: b, after: null }, { name: c, after: b }] } }",
    );
    const { each, ...items } = outcome.finished.tasks;
    expect(each?.output).toMatchObject([
      { n: "a", at: 0 },
      { n: "b", at: 1 },
      { n: "c", at: 2 },
    ]);
    expect(items).toEqual({
      "each[0]": { status: "success" },
      "each[1]": { status: "success" },
      "each[2]": { status: "success" },
    });
    expect(logged(outcome)).toEqual(["each[1] of w", "each[2] of w", "each[0] of w"]);
    expect(
      outcome.events.filter(({ event }) => event === "task.started").map((event) => "task" in event && event.task),
    ).toEqual(["each", "each[0]", "each[1]", "each[2]"]);
  });

  it.each([
    ["", 1],
    ["    concurrency: 2\n", 2],
    ["    concurrency: 9\n", 4],
  ])("runs so many items at a time: %j", async (concurrency, expected) => {
    await run(`${concurrency}    inputs: { n: "{{ item }}" }\n`);
    expect(most).toBe(expected);
  });

  it("starts no further item after the first failure, and names its index", async () => {
    const outcome = await run(
      '    inputs: { n: "{{ item }}", fail: b }\n  - { id: after, type: test/do.item, needs: [each] }\n',
    );
    expect(started).toEqual(["a", "b"]);
    expect(outcome.finished.tasks["each"]).toEqual({
      status: "failed",
      error: { name: "Error", code: "TASK_FAILED", message: "item 1: no b" },
    });
    expect(outcome.finished.tasks["each[1]"]).toMatchObject({ status: "failed", error: { message: "no b" } });
    expect(outcome.finished.tasks["after"]).toEqual({ status: "skipped" });
    expect(outcome.finished.status).toBe("failed");
  });

  it("lets running items end after a failure", async () => {
    await run('    concurrency: 3\n    inputs: { n: "{{ item }}", fail: a }\n');
    expect(started).toEqual(["a", "b", "c"]);
    expect(running).toBe(0);
  });

  it("with continueOnError: null for a failed item, and the others run", async () => {
    const outcome = await run(
      '    continueOnError: true\n    inputs: { n: "{{ item }}", fail: b }\n  - { id: after, type: test/do.list, needs: [each], inputs: { list: "{{ tasks.each.output.1 }}" } }\n',
    );
    const { each, after } = outcome.finished.tasks;
    expect(each?.output).toMatchObject([{ n: "a" }, null, { n: "c" }, { n: "d" }]);
    expect(each).toMatchObject({ status: "failed", error: { message: "item 1: no b" } });
    expect(after).toEqual({ status: "success", output: null });
    expect(outcome.finished.status).toBe("success");
    const two = await run("    continueOnError: true\n    inputs: { n: same, fail: same }\n");
    expect(two.finished.tasks["each"]?.error?.message).toBe("4 of 4 items failed; item 0: no same");
  });

  it("decides an if about the item for each of them, another one once", async () => {
    const outcome = await run('    if: item != "b" and index < 3\n    inputs: { n: "{{ item }}" }\n');
    expect(started).toEqual(["a", "c"]);
    expect(outcome.finished.tasks["each"]?.output).toMatchObject([{ n: "a" }, null, { n: "c" }, null]);
    expect(outcome.finished.tasks["each[1]"]).toEqual({ status: "skipped" });
    const once = await run('    if: inputs.list == 1\n    inputs: { n: "{{ item }}" }\n');
    expect(once.finished.tasks).toMatchObject({ each: { status: "failed" } });
    const none = await tryRun('  - { id: a, type: test/do.item, if: "1 == 2", forEach: "{{ inputs.no.list }}" }\n', {
      actions,
      head: "inputs: { no: { type: json, default: {} } }",
    });
    expect(none.finished.tasks).toEqual({ a: { status: "skipped" } });
    const wrong = await run('    if: item < 1\n    inputs: { n: "{{ item }}" }\n');
    expect(wrong.finished.tasks["each[0]"]?.error?.code).toBe("REFERENCE_INVALID");
    expect(wrong.finished.tasks["each"]?.error?.message).toContain("item 0: The condition cannot be decided");
  });

  it.each([
    ["{}", "the value of `forEach` is not a list"],
    ["text", "the value of `forEach` is not a list"],
    ["null", "the value of `forEach` is not a list"],
    [JSON.stringify(Array.from({ length: 10_001 }, () => 1)), "`forEach` has 10001 items; the maximum is 10000"],
  ])("of %.20s fails", async (value, message) => {
    const outcome = await run("    inputs: {}\n", `inputs: { list: { type: json, default: ${value} } }`);
    expect(outcome.finished.tasks).toEqual({
      each: { status: "failed", error: { name: "Error", code: "FOR_EACH_INVALID", message } },
    });
  });

  it("of an empty list succeeds with an empty list", async () => {
    const outcome = await run("    inputs: {}\n", "inputs: { list: { type: json, default: [] } }");
    expect(outcome.finished.tasks).toEqual({ each: { status: "success", output: [] } });
  });

  it("of a list in the file takes references in it, and keeps their types", async () => {
    const outcome = await tryRun(
      '  - { id: each, type: test/do.item, forEach: [1, "{{ inputs.list }}", { x: "{{ inputs.list.0 }}" }], inputs: { n: "{{ item }}" } }\n',
      { actions, head: "inputs: { list: { type: json, default: [a] } }" },
    );
    expect(outcome.finished.tasks["each"]?.output).toMatchObject([{ n: 1 }, { n: ["a"] }, { n: { x: "a" } }]);
  });

  it("a reference in a list that is not there fails the task before any item", async () => {
    const outcome = await tryRun('  - { id: each, type: test/do.item, forEach: ["{{ inputs.m.x }}"] }\n', {
      actions,
      head: "inputs: { m: { type: json, default: {} } }",
    });
    expect(outcome.finished.tasks).toMatchObject({
      each: { status: "failed", error: { message: "'inputs.m.x': there is no 'x'" } },
    });
  });

  it("retries each item for itself", async () => {
    const tried: unknown[] = [];
    const flaky = defineAction({
      input,
      run({ n }, { task }) {
        tried.push(`${task.id}#${task.attempt}`);
        if (n === "b" && task.attempt < 3) throw new Error("not yet");
      },
    });
    const outcome = await tryRun(
      '  - { id: each, type: test/do.flaky, forEach: [a, b, c], retry: { max: 2, backoffSeconds: 0 }, inputs: { n: "{{ item }}" } }\n',
      { actions: { flaky } },
    );
    expect(tried).toEqual(["each[0]#1", "each[1]#1", "each[1]#2", "each[1]#3", "each[2]#1"]);
    const retried = outcome.events.filter(({ event }) => event === "task.retried");
    expect(retried.map((event) => "task" in event && event.task)).toEqual(["each[1]", "each[1]"]);
  });

  it("masks the secrets of each output, and counts them by item", async () => {
    const outcome = await run('    secretOutputs: [key]\n    inputs: { n: "{{ item }}" }\n');
    expect(outcome.finished.tasks["each"]?.output).toMatchObject([
      { key: "***SECRET***" },
      { key: "***SECRET***" },
      {},
      {},
    ]);
    expect(outcome.finished.masked).toMatchObject({
      "tasks.each[0].output.key": { count: 1 },
      "tasks.each[3].output.key": { count: 1 },
    });
    expect(outcome.out).not.toContain("k3y-");
    expect(warned(outcome)).toEqual([]);
  });

  it("of secrets is masked too", async () => {
    const outcome = await tryRun(
      '  - { id: each, type: test/do.list, forEach: ["{{ secrets.A }}", "{{ secrets.B | trim }}"], inputs: { list: "<{{ item }}>" } }\n',
      {
        actions,
        secrets: {
          A: { type: "apiKey", fields: { value: "first-value" } },
          B: { type: "apiKey", fields: { value: " other-value " } },
        },
      },
    );
    expect(outcome.finished.tasks["each"]?.output).toEqual(["<***SECRET***>", "<***SECRET***>"]);
  });

  it("is cancelled as a whole", async () => {
    const cancel = new AbortController();
    const stop = defineAction({ input, run: () => cancel.abort() });
    const outcome = await tryRun("  - { id: each, type: test/do.stop, forEach: [1, 2, 3] }\n", {
      actions: { stop },
      signal: cancel.signal,
    });
    expect(outcome.finished.tasks).toMatchObject({ each: { status: "cancelled" } });
    expect(Object.keys(outcome.finished.tasks)).toEqual(["each", "each[0]"]);
    expect(outcome.finished.status).toBe("cancelled");
  });

  const many = process.env["LONG_TESTS"] === "true" ? 10_000 : 1000;
  it(`of ${many} items ends`, async () => {
    const outcome = await tryRun(
      '  - { id: each, type: test/do.list, forEach: "{{ inputs.list }}", concurrency: 50, inputs: { list: "{{ item }}" } }\n',
      {
        actions,
        head: `inputs: { list: { type: json, default: [${Array.from({ length: many }, (_, at) => at).join(",")}] } }`,
      },
    );
    expect(outcome.finished.tasks["each"]?.output).toHaveLength(many);
  }, 60_000);
});

import { expect, it } from "vitest";
import { defineAction, z } from "../../src/index.ts";
import { createTestContext, runAction } from "../../src/testing/index.ts";

const action = defineAction({
  input: z.strictObject({}),
  run(_, { log, signal, task, execution, idempotencyKey }) {
    log.debug("d");
    log.info("i", { a: 1 });
    log.warn("w");
    log.error("e");
    return { aborted: signal.aborted, task, execution, idempotencyKey };
  },
});

it("returns the output and the log lines", async () => {
  expect(await runAction(action, {})).toEqual({
    output: {
      aborted: false,
      task: { id: "task", type: "test/plugin.action", attempt: 1 },
      execution: { id: "execution", workflow: "workflow" },
      idempotencyKey: "execution:task",
    },
    lines: [
      { level: "debug", message: "d" },
      { level: "info", message: "i", data: { a: 1 } },
      { level: "warn", message: "w" },
      { level: "error", message: "e" },
    ],
  });
});

it("takes parts of a context", async () => {
  const options = { signal: AbortSignal.abort(), task: { attempt: 3 }, execution: { workflow: "deploy" } };
  const { output } = await runAction(action, {}, options);
  expect(output.aborted).toBe(true);
  expect(output.task).toEqual({ id: "task", type: "test/plugin.action", attempt: 3 });
  expect(output.execution).toEqual({ id: "execution", workflow: "deploy" });
});

it("keeps the lines of each context apart", () => {
  const [first, second] = [createTestContext(), createTestContext()];
  first.log.info("one");
  expect([first.lines.length, second.lines.length]).toEqual([1, 0]);
});

it("fails as the engine does", async () => {
  await expect(runAction(action, { a: 1 })).rejects.toThrow("Invalid input: unknown key 'a'");
});

import { expect, it } from "vitest";
import { defineAction, TaskError, z } from "../src/index.ts";
import { runAction } from "../src/testing/index.ts";

it("is an error that can be retried, unless it says otherwise", () => {
  const error = new TaskError({ message: "the mailbox is full" });
  expect(error).toBeInstanceOf(Error);
  expect(String(error)).toBe("TaskError: the mailbox is full");
  expect(Object.fromEntries(Object.entries(error))).toEqual({
    name: "TaskError",
    code: "TASK_FAILED",
    retryable: true,
    retryAfterSeconds: undefined,
    status: undefined,
  });
});

it("carries what the engine goes by", () => {
  const options = { code: "MAILBOX_FULL", retryable: false, retryAfterSeconds: 60, status: 452 };
  expect(new TaskError({ message: "the mailbox is full", ...options })).toMatchObject(options);
});

it("reaches the caller of an action as it stands", async () => {
  const error = new TaskError({ message: "the mailbox is full" });
  const action = defineAction({
    input: z.strictObject({}),
    run() {
      throw error;
    },
  });
  await expect(runAction(action, {})).rejects.toBe(error);
});

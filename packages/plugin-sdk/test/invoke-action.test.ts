import { expect, it } from "vitest";
import { defineAction, invokeAction, PluginInputError, PluginOutputError, z } from "../src/index.ts";
import { createTestContext } from "../src/testing/index.ts";

const CANARY = "canary-4711";
const context = createTestContext();

it("gives run the checked input and the context, and returns the checked output", async () => {
  const action = defineAction({
    input: z.strictObject({ text: z.string().trim(), times: z.int().default(2) }),
    output: z.object({ said: z.string() }),
    async run(input, { log, task }) {
      log.info(`in ${task.id}`, { times: input.times });
      return { said: input.text.repeat(input.times), more: true };
    },
  });
  const own = createTestContext({ task: { id: "say" } });
  expect(await invokeAction(action, { text: " ab " }, own)).toEqual({ said: "abab" });
  expect(own.lines).toEqual([{ level: "info", message: "in say", data: { times: 2 } }]);
});

it("waits for asynchronous checks", async () => {
  const input = z
    .string()
    .refine(async (text) => await Promise.resolve(text === "yes"), { params: { expected: "yes" } });
  const action = defineAction({ input, run: (text) => text });
  expect(await invokeAction(action, "yes", context)).toBe("yes");
  await expect(invokeAction(action, CANARY, context)).rejects.toThrow(new PluginInputError("expected yes"));
});

const parses = z.string().transform((text): unknown => JSON.parse(text));
const reports = z.string().transform((text, issues) => {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    issues.addIssue(String(error));
    return z.NEVER;
  }
});
const nested: z.ZodType = z.lazy(() => z.array(nested));
let deep: unknown = CANARY;
for (let level = 0; level < 100_000; level++) deep = [deep];

it.each<[string, z.ZodType, unknown, string]>([
  ["does not fit", z.strictObject({ a: z.number() }), { a: CANARY }, "a: expected number"],
  ["makes a transform throw", parses, CANARY, "the check of the action failed on it"],
  ["makes a transform report a foreign error", reports, CANARY, "expected another value"],
  ["overflows the stack", nested, deep, "the check of the action failed on it"],
  ["does not fit any JSON", z.json(), () => CANARY, "expected string or number or boolean or null or array or object"],
])("refuses an input that %s, before run and without a word of it", async (_, input, value, problem) => {
  const action = defineAction({ input, run: () => expect.fail("it has run") });
  const run = invokeAction(action, value, context);
  await expect(run).rejects.toThrow(new PluginInputError(problem));
  await expect(run).rejects.toSatisfy((error: Error) => error.cause === undefined && !error.stack?.includes(CANARY));
});

it("refuses an output that breaks its promise, without a word of it", async () => {
  const output: z.ZodType = z.strictObject({ count: z.number() });
  const action = defineAction({ input: z.strictObject({}), output, run: () => ({ count: CANARY }) });
  const run = invokeAction(action, {}, context);
  await expect(run).rejects.toThrow(new PluginOutputError("count: expected number"));
});

it("lets what run throws pass", async () => {
  const error = new Error("the disk is full");
  const action = defineAction({
    input: z.strictObject({}),
    run() {
      throw error;
    },
  });
  await expect(invokeAction(action, {}, context)).rejects.toBe(error);
});

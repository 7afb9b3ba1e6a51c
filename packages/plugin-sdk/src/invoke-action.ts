import type { z } from "zod";
import { describeIssues } from "./describe-issues.ts";
import { PluginInputError, PluginOutputError } from "./errors.ts";
import type { Action, ActionContext } from "./plugin.ts";

/**
 * Calls an action: checks the input, runs the action and checks the output. Engines call it for each attempt of a task.
 * Tests of plugins use `runAction` of `@autokestra/plugin-sdk/testing`.
 *
 * @param input what the task gives, with references resolved
 * @param context what the action logs and masks with, and the signal that cancels it
 * @throws PluginInputError if the input does not fit the action
 * @throws PluginOutputError if the result does not fit the output schema
 * @throws everything that `run` throws, unchanged
 * @example
 * ```ts
 * import { defineAction, invokeAction, z } from "@autokestra/plugin-sdk";
 * import { createTestContext } from "@autokestra/plugin-sdk/testing";
 *
 * const double = defineAction({ input: z.strictObject({ n: z.number() }), run: ({ n }) => 2 * n });
 * console.log(await invokeAction(double, { n: 21 }, createTestContext())); // 42
 * ```
 */
export async function invokeAction<Output>(
  action: Action<unknown, Output>,
  input: unknown,
  context: ActionContext,
): Promise<Output> {
  const checked = await check(action.input, input, PluginInputError);
  const result = await action.run(checked, context);
  return action.output === undefined ? result : await check(action.output, result, PluginOutputError);
}

async function check<Value>(
  schema: z.ZodType<Value>,
  value: unknown,
  Refusal: new (problem: string) => Error,
): Promise<Value> {
  const result = await schema.safeParseAsync(value).catch(() => {
    // The error is dropped: a transform that throws, such as JSON.parse, quotes what it has read.
    throw new Refusal("the check of the action failed on it");
  });
  if (!result.success) throw new Refusal(describeIssues(result.error.issues));
  return result.data;
}

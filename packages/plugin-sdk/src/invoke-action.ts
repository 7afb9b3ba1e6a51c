import type { z } from "zod";
import { describeIssues } from "./describe-issues.ts";
import { PluginInputError, PluginOutputError } from "./errors.ts";
import type { Action, ActionContext } from "./plugin.ts";

/**
 * Checks the input, runs the action, checks the output. The engine calls this, and so does the test kit.
 *
 * @param input as the task gives it, references resolved
 * @throws PluginInputError before `run`, PluginOutputError after it, and whatever `run` itself throws, as it stands
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
    // A transform that throws, such as JSON.parse, quotes what it has read.
    throw new Refusal("the check of the action failed on it");
  });
  if (!result.success) throw new Refusal(describeIssues(result.error.issues));
  return result.data;
}

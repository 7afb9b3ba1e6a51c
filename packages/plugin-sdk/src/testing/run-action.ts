import type { Action } from "../action.ts";
import { invokeAction } from "../invoke-action.ts";
import { createTestContext, type LogLine, type TestContextOptions } from "./test-context.ts";

/** What a run has given. */
export interface ActionRun<Output> {
  readonly output: Output;
  readonly lines: readonly LogLine[];
}

/**
 * Runs an action as the engine does, with both checks. To see the log lines of a run that fails, use `createTestContext` and
 * `invokeAction`.
 *
 * @throws as `invokeAction`
 */
export async function runAction<Output>(
  action: Action<unknown, Output>,
  input: unknown,
  options?: TestContextOptions,
): Promise<ActionRun<Output>> {
  const context = createTestContext(options);
  const output = await invokeAction(action, input, context);
  return { output, lines: context.lines };
}

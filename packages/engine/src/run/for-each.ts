import { MAX_ITEMS } from "../workflow/workflow.ts";
import type { TaskOutcome } from "./task-executor.ts";
import { EngineFailure, type TaskFailure } from "./task-failure.ts";

/** How one item ended. `skipped`: the `if` of the task is not true for it. */
export type ItemOutcome = TaskOutcome | { readonly status: "skipped" };

/** How a `forEach` goes through its items. */
interface ForEachOptions {
  /** The maximum number of items at a time. */
  readonly concurrency: number;
  readonly continueOnError: boolean;
  readonly signal: AbortSignal;
}

/**
 * Checks the value of a `forEach`.
 *
 * @throws EngineFailure `FOR_EACH_INVALID`
 */
export function asItems(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new EngineFailure("FOR_EACH_INVALID", "the value of `forEach` is not a list");
  if (value.length <= MAX_ITEMS) return value;
  const message = `\`forEach\` has ${value.length} items; the maximum is ${MAX_ITEMS}`;
  throw new EngineFailure("FOR_EACH_INVALID", message);
}

/**
 * Runs a task once for each item. After a failure no further item starts, unless errors are to be ignored; then the
 * output has null for a failed item, and the task fails at the end with all its outputs.
 */
export async function runItems(
  items: readonly unknown[],
  { concurrency, continueOnError, signal }: ForEachOptions,
  run: (item: unknown, index: number) => Promise<ItemOutcome>,
): Promise<TaskOutcome> {
  const outputs: unknown[] = items.map(() => null);
  const failures: { readonly index: number; readonly failure: TaskFailure }[] = [];
  // Each takes the next one from the same list: those that wait cost nothing.
  const entries = items.entries();
  async function runNext(): Promise<void> {
    for (const [index, item] of entries) {
      if (signal.aborted || (failures.length > 0 && !continueOnError)) return;
      const outcome = await run(item, index);
      if (outcome.status === "success") outputs[index] = outcome.output ?? null;
      if (outcome.status === "failed") failures.push({ index, failure: outcome.failure });
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, runNext));
  const [first] = failures;
  if (first === undefined) return signal.aborted ? { status: "cancelled" } : { status: "success", output: outputs };
  const { index, failure } = first;
  const count = failures.length > 1 ? `${failures.length} of ${items.length} items failed; ` : "";
  const failed = { ...failure, message: `${count}item ${index}: ${failure.message}` };
  return { status: "failed", failure: failed, ...(continueOnError && { output: outputs }) };
}

import type { z } from "zod";
import type { ActionContext } from "./action-context.ts";

/**
 * Something a task can do.
 *
 * @typeParam Input what `run` receives: the input as its schema gives it, with defaults and transforms applied
 * @typeParam Output what `run` returns
 */
export interface Action<Input = unknown, Output = unknown> {
  /** One sentence for people who look for an action. */
  readonly description?: string;
  /** Everything a task gives under `inputs:`. Use `z.strictObject`, so that a typing error does not pass. */
  readonly input: z.ZodType<Input>;
  /**
   * The names of inputs in which a number becomes text, such as a URL, or what gives them for the inputs as the workflow has them,
   * with references in them. A number that would read differently there (`01234`, `1.10`) is refused before anything runs. Default:
   * none.
   */
  readonly textInputs?: readonly string[] | ((inputs: Readonly<Record<string, unknown>>) => readonly string[]);
  /** If there is one, the result is checked against it. */
  readonly output?: z.ZodType<Output, Output>;
  /**
   * What in the output is secret, for every task: paths such as `access_token` or `items.*.token`. What the action logs and prints is
   * held until its output is there. A path that an output does not have is passed over.
   */
  readonly secretOutputs?: readonly string[];
  /** Must return what JSON can hold. What it throws fails the task; never put an input into the message. */
  run(input: Input, context: ActionContext): Output | Promise<Output>;
}

/** Gives `run` the types of the schemas. */
export function defineAction<Input, Output>(action: Action<Input, Output>): Action<Input, Output> {
  return Object.freeze({ ...action });
}

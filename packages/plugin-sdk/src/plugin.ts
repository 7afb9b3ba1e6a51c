import type { z } from "zod";
import type { NetworkPolicy } from "./network.ts";
import { secretPaths } from "./secret-paths.ts";

/** Actions under one name, as {@link definePlugin} returns it and an engine takes it. */
export interface Plugin {
  /** `namespace/plugin`, such as `core/http`. */
  readonly name: string;
  /** The actions by their type in a workflow, such as `core/http.request`. */
  readonly actions: ReadonlyMap<string, Action>;
}

/** What {@link definePlugin} takes. */
export interface PluginDefinition {
  /**
   * `namespace/plugin`; both parts match `[a-z0-9-]+`. There is no `@`: the package `@acme/plugin-mail` has
   * `acme/mail`.
   */
  readonly name: string;
  /** At least one action, by short names that match `[a-z0-9-]+`. */
  readonly actions: Readonly<Record<string, Action>>;
}

const PLUGIN_NAME = /^[a-z0-9-]+\/[a-z0-9-]+$/;
const ACTION_NAME = /^[a-z0-9-]+$/;

/**
 * Puts actions under a name, so that workflows can call them: the action `request` of the plugin `core/http` has the
 * type `core/http.request` there. Give the result to an engine, beside the core plugins.
 *
 * @throws TypeError if the name of the plugin or of an action is invalid, or if the plugin has no actions
 * @example
 * ```ts
 * import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
 *
 * const greet = defineAction({
 *   input: z.strictObject({ name: z.string() }),
 *   run: ({ name }) => ({ text: `Hello ${name}!` }),
 * });
 * const plugin = definePlugin({ name: "acme/social", actions: { greet } });
 * console.log([...plugin.actions.keys()]); // [ 'acme/social.greet' ]
 * ```
 */
export function definePlugin({ name, actions }: PluginDefinition): Plugin {
  if (!PLUGIN_NAME.test(name)) {
    throw new TypeError(`Invalid plugin name '${name}': write namespace/plugin with a-z, 0-9 and -, such as acme/mail`);
  }
  const entries = Object.entries(actions);
  if (entries.length === 0) throw new TypeError(`Plugin '${name}' has no actions`);
  const wrong = entries.find(([action]) => !ACTION_NAME.test(action));
  if (wrong) throw new TypeError(`Invalid action name '${wrong[0]}' in plugin '${name}': use a-z, 0-9 and -`);
  return Object.freeze({ name, actions: new Map(entries.map(([action, value]) => [`${name}.${action}`, value])) });
}

/**
 * Something a task of a workflow can do. Create one with {@link defineAction}.
 *
 * @typeParam Input what `run` receives: the output of the input schema, with defaults and transforms applied
 * @typeParam Output what `run` returns
 */
export interface Action<Input = unknown, Output = unknown> {
  /** One sentence that tells people what the action does. */
  readonly description?: string;
  /** Checks everything a task gives under `inputs:`. Use `z.strictObject`, so that mistyped names are refused. */
  readonly input: z.ZodType<Input>;
  /**
   * The names of inputs in which a number becomes text, such as a URL, or a function that returns them for the inputs
   * as the workflow file has them, with references unresolved. A number that would change as text (`01234`, `1.10`) is
   * refused before anything runs. Default: none.
   */
  readonly textInputs?: readonly string[] | ((inputs: Readonly<Record<string, unknown>>) => readonly string[]);
  /**
   * The names of inputs that others on the machine can see, such as the arguments of a program. A secret in them is
   * refused. Default: none.
   */
  readonly shownInputs?: readonly string[];
  /** The names of inputs that must be written out in the workflow, without references. Default: none. */
  readonly literalInputs?: readonly string[];
  /**
   * Whether `run` ends soon after {@link ActionContext.signal}, so that the engine waits for it. Default: the engine
   * does not wait for an action that was cancelled or is out of time.
   */
  readonly endsOnSignal?: boolean;
  /** Checks what `run` returns. Default: the result is not checked. */
  readonly output?: z.ZodType<Output, Output>;
  /**
   * Paths of secret values in the output, such as `access_token` or `items.*.token`. What the action logs and prints is
   * held back until its output is known. Paths that an output does not have are ignored. {@link defineAction} adds what
   * the output schema marks with `.meta({ secret: true })`. Default: none.
   */
  readonly secretOutputs?: readonly string[];
  /**
   * Tells whether the value at a path of the output is secret because the action masks it itself, with
   * {@link ActionContext.mask}. A condition of a workflow on such a value is refused. Default: nothing is.
   */
  readonly isSecretOutput?: (path: readonly string[]) => boolean;
  /**
   * Does the work. It must return what JSON can hold. What it throws fails the task; never put an input into the
   * message.
   */
  run(input: Input, context: ActionContext): Output | Promise<Output>;
}

/**
 * Defines an action: `run` gets the types of its schemas. Put the action into a plugin with {@link definePlugin}.
 *
 * @example
 * ```ts
 * import { defineAction, z } from "@autokestra/plugin-sdk";
 * import { runAction } from "@autokestra/plugin-sdk/testing";
 *
 * const greet = defineAction({
 *   description: "Greets somebody.",
 *   input: z.strictObject({ name: z.string(), times: z.int().min(1).default(1) }),
 *   run: ({ name, times }) => ({ text: `Hello ${name}! `.repeat(times).trim() }),
 * });
 * const { output } = await runAction(greet, { name: "Ada" });
 * console.log(output.text); // Hello Ada!
 * ```
 */
export function defineAction<Input, Output>(action: Action<Input, Output>): Action<Input, Output> {
  const { output, secretOutputs = [] } = action;
  if (output === undefined) return Object.freeze({ ...action });
  let paths: readonly string[] | null = null;
  return Object.freeze({
    ...action,
    // Found when it is asked for: most processes never use most actions.
    get secretOutputs(): readonly string[] {
      paths ??= [...new Set([...secretOutputs, ...secretPaths(output)])];
      return paths;
    },
  });
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes one log line. `data` is logged with the message, as JSON. */
export type LogFunction = (message: string, data?: Record<string, unknown>) => void;

/**
 * Masks a value for the rest of the run: in log lines, outputs, errors, the run history and printed output. Call it
 * before anything shows the value. Values of fewer than 4 characters cannot be masked; the run warns about them.
 *
 * @param value a string, a number, bytes, or an object or list of these; every value in it is masked
 * @param name the name in reports: letters, digits, underscores, hyphens and dots. Default: `tasks.` and the id of the
 * task
 * @throws TypeError if the value has no text, such as undefined or a function, or if the name has other characters
 */
export type MaskFunction = (value: unknown, name?: string) => void;

/**
 * Logs what a program prints, each line with the level `info` (standard output) or `warn` (standard error). Secret
 * values are masked before the bytes are split into lines, also those that are spread over several calls.
 */
export type PrintFunction = (stream: "stdout" | "stderr", bytes: Uint8Array) => void;

/** What an action gets besides its input. It gives no access to stores, keys or templates. */
export interface ActionContext {
  /** Logs events of the task. Secret values are masked. */
  readonly log: Readonly<Record<LogLevel, LogFunction>>;
  /** Logs the output of programs that the action runs. */
  readonly print: PrintFunction;
  /** Aborted when the run is cancelled or the task times out. Pass it on to everything you wait for. */
  readonly signal: AbortSignal;
  /**
   * The task: its id, the type of its action, such as `core/http.request`, and the attempt, from 1. It goes on counting when the run is
   * resumed: no two attempts of a task in one run have the same number.
   */
  readonly task: { readonly id: string; readonly type: string; readonly attempt: number };
  /** The run: its id, and the id of its workflow. */
  readonly execution: { readonly id: string; readonly workflow: string };
  /**
   * Names the work of this task, or of this item of a `forEach`, in this run: the same in each attempt, and when the run
   * is resumed after its process was lost; another one for every other task, item and run. Give it to services that do
   * what has the same key only once. It is not secret and of any length: hash it where a service wants less.
   */
  readonly idempotencyKey: string;
  /** Makes a value secret for the rest of the run, such as a token that a service has just issued. */
  readonly mask: MaskFunction;
  /** Where the action may connect to. An action that opens connections must obey it. Default: anywhere. */
  readonly network?: NetworkPolicy;
}

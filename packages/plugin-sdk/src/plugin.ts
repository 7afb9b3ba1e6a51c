import type { z } from "zod";

/** Actions under one name. */
export interface Plugin {
  /** `namespace/plugin`, such as `core/http`. */
  readonly name: string;
  /** By their type in a workflow, such as `core/http.request`. */
  readonly actions: ReadonlyMap<string, Action>;
}

export interface PluginDefinition {
  /** `namespace/plugin`. Both parts are `[a-z0-9-]+`; there is no `@`: the package `@acme/plugin-mail` holds `acme/mail`. */
  readonly name: string;
  /** By their short names, `[a-z0-9-]+`. */
  readonly actions: Readonly<Record<string, Action>>;
}

const PLUGIN_NAME = /^[a-z0-9-]+\/[a-z0-9-]+$/;
const ACTION_NAME = /^[a-z0-9-]+$/;

/**
 * Puts actions under a name: the action `request` of the plugin `core/http` is `core/http.request` in a workflow.
 *
 * @throws TypeError for a name of another form, or a plugin without actions
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

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes one log line. `data` is kept beside the message, as JSON. */
export type LogFunction = (message: string, data?: Record<string, unknown>) => void;

/**
 * Masks a value everywhere from now on: in log lines, outputs, errors, the run history, and what is printed. Call it before anything
 * shows the value. Values of fewer than 4 characters cannot be masked; the run warns of them.
 *
 * @param value a text, a number, bytes, or an object or list of these, of which each leaf is masked
 * @param name what reports call it: letters, digits, underscore, hyphen and dot. Default: `tasks.` and the id of the task
 * @throws TypeError for a value without any text, such as undefined or a function, and for another name
 */
export type MaskFunction = (value: unknown, name?: string) => void;

/** What an action gets besides its input. There is no store, key or template in it. */
export interface ActionContext {
  /** The only way for an action to say something. Values of secrets are masked behind it. */
  readonly log: Readonly<Record<LogLevel, LogFunction>>;
  /** Aborted when the run is cancelled or the task is out of time. Hand it on to whatever you wait for. */
  readonly signal: AbortSignal;
  /** `type` is the action's, such as `core/http.request`; `attempt` counts from 1. */
  readonly task: { readonly id: string; readonly type: string; readonly attempt: number };
  /** `workflow` is the id of the workflow. */
  readonly execution: { readonly id: string; readonly workflow: string };
  /** Makes a value secret for the rest of the run, such as a token that a service has just issued. */
  readonly mask: MaskFunction;
}

import { textsToMask } from "../host/secret-texts.ts";
import { invokeAction } from "../invoke-action.ts";
import type { NetworkPolicy } from "../network.ts";
import type { Action, ActionContext, LogFunction, LogLevel } from "../plugin.ts";

/** A log line as the action wrote it. Without data, there is no `data`. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly data?: Record<string, unknown>;
}

/** A context that records what the action logs and masks. */
export interface TestContext extends ActionContext {
  readonly lines: readonly LogLine[];
  /** The calls of `mask`. */
  readonly masked: readonly MaskedLine[];
  /** Everything that was given to `print`, by stream. */
  readonly printed: Readonly<Record<"stdout" | "stderr", string>>;
}

/** A call of `mask`. Without a name, there is no `name`. */
export interface MaskedLine {
  readonly value: unknown;
  readonly name?: string;
}

/**
 * Defaults: a signal that is never aborted, task `task`, attempt 1, execution `execution`, workflow `workflow`, their
 * idempotency key, as a run makes it, and any host.
 */
export interface TestContextOptions {
  readonly signal?: AbortSignal;
  readonly task?: Partial<ActionContext["task"]>;
  readonly execution?: Partial<ActionContext["execution"]>;
  readonly idempotencyKey?: string;
  readonly network?: NetworkPolicy;
}

/**
 * Creates a context to call an action with in a test. Use it with {@link invokeAction} to see what an action logs
 * before it fails; otherwise {@link runAction} is shorter.
 *
 * @example
 * ```ts
 * import { defineAction, invokeAction, z } from "@autokestra/plugin-sdk";
 * import { createTestContext } from "@autokestra/plugin-sdk/testing";
 *
 * const login = defineAction({
 *   input: z.strictObject({ user: z.string() }),
 *   run({ user }, { log, mask }) {
 *     mask("t0ken-of-ada", "session");
 *     log.info("logged in", { user });
 *     throw new Error("the session has ended");
 *   },
 * });
 * const context = createTestContext({ task: { id: "login" } });
 * await invokeAction(login, { user: "ada" }, context).catch((error) => console.log(error.message));
 * console.log(context.lines, context.masked);
 * ```
 */
export function createTestContext(options: TestContextOptions = {}): TestContext {
  const lines: LogLine[] = [];
  const masked: MaskedLine[] = [];
  const printed = { stdout: "", stderr: "" };
  const record =
    (level: LogLevel): LogFunction =>
    (message, data) => {
      lines.push(data === undefined ? { level, message } : { level, message, data });
    };
  const task = { id: "task", type: "test/plugin.action", attempt: 1, ...options.task };
  const execution = { id: "execution", workflow: "workflow", ...options.execution };
  return {
    lines,
    masked,
    printed,
    print(stream, bytes) {
      printed[stream] += new TextDecoder().decode(bytes);
    },
    mask(value, name) {
      textsToMask(value, name);
      masked.push(name === undefined ? { value } : { value, name });
    },
    log: { debug: record("debug"), info: record("info"), warn: record("warn"), error: record("error") },
    signal: options.signal ?? new AbortController().signal,
    task,
    execution,
    idempotencyKey: options.idempotencyKey ?? `${execution.id}:${task.id}`,
    ...(options.network && { network: options.network }),
  };
}

/** What {@link runAction} returns: the output of the action and its log lines. */
export interface ActionRun<Output> {
  readonly output: Output;
  readonly lines: readonly LogLine[];
}

/**
 * Runs an action in a test as the engine does: checks the input, runs the action and checks the output. To see the log
 * lines of an action that fails, use {@link createTestContext} and {@link invokeAction}.
 *
 * @param input what the task would give, with references resolved
 * @throws the same as {@link invokeAction}
 * @example
 * ```ts
 * import { defineAction, z } from "@autokestra/plugin-sdk";
 * import { runAction } from "@autokestra/plugin-sdk/testing";
 *
 * const greet = defineAction({
 *   input: z.strictObject({ name: z.string() }),
 *   run({ name }, { log }) {
 *     log.info("greeting");
 *     return `Hello ${name}!`;
 *   },
 * });
 * const { output, lines } = await runAction(greet, { name: "Ada" });
 * console.log(output, lines); // Hello Ada! [ { level: 'info', message: 'greeting' } ]
 * ```
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

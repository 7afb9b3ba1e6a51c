import { invokeAction } from "../invoke-action.ts";
import type { Action, ActionContext, LogFunction, LogLevel } from "../plugin.ts";

/** A log line as the action has written it. `data` is absent where none was given. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly data?: Record<string, unknown>;
}

/** A context that keeps what is logged. */
export interface TestContext extends ActionContext {
  readonly lines: readonly LogLine[];
  /** What the action has masked. */
  readonly masked: readonly MaskedLine[];
}

/** A call of `mask`. `name` is absent where none was given. */
export interface MaskedLine {
  readonly value: unknown;
  readonly name?: string;
}

/** Where a part is not given, there is a fixed one: task `task`, attempt 1, execution `execution`, workflow `workflow`. */
export interface TestContextOptions {
  readonly signal?: AbortSignal;
  readonly task?: Partial<ActionContext["task"]>;
  readonly execution?: Partial<ActionContext["execution"]>;
}

export function createTestContext(options: TestContextOptions = {}): TestContext {
  const lines: LogLine[] = [];
  const masked: MaskedLine[] = [];
  const record =
    (level: LogLevel): LogFunction =>
    (message, data) => {
      lines.push(data === undefined ? { level, message } : { level, message, data });
    };
  return {
    lines,
    masked,
    mask(value, name) {
      masked.push(name === undefined ? { value } : { value, name });
    },
    log: { debug: record("debug"), info: record("info"), warn: record("warn"), error: record("error") },
    signal: options.signal ?? new AbortController().signal,
    task: { id: "task", type: "test/plugin.action", attempt: 1, ...options.task },
    execution: { id: "execution", workflow: "workflow", ...options.execution },
  };
}

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

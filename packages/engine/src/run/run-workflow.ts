import type { Plugin } from "@autokestra/plugin-sdk";
import { corePlugins } from "@autokestra/plugins-core";
import type { DurableRun, RunFinished, RunSink } from "@autokestra/runs";
import { takeKeyVariable } from "@autokestra/secrets/internal";
import { AutokestraError, type LeaseEvent, type SecretSource } from "@autokestra/secrets-core";
import type { ResolverOptions } from "@autokestra/secrets-resolver";
import type { PluginSource } from "../plugin-host/plugin-host.ts";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import { admitRun } from "./admit-run.ts";
import { secretInputValues } from "./inputs.ts";
import { createRunMasks } from "./masks.ts";
import { prepareRun } from "./prepare-run.ts";
import { openRunOutput, type RunOutput } from "./process-output.ts";
import { type LeaseEvents, WorkflowRun } from "./run.ts";
import { secretValues } from "./secret-values.ts";

/** What {@link runWorkflow} takes besides the workflow. */
export interface RunOptions {
  /** The sources to look for each declared secret in, in this order. */
  readonly sources: readonly SecretSource[];
  /** Which names are bound to one source, and how long all may take. Default: none; 10 seconds. */
  readonly resolution?: ResolverOptions | undefined;
  /** Gets every event, masked. */
  readonly sink: RunSink;
  /** The texts of inputs, by name. Default: none. */
  readonly inputs?: Readonly<Record<string, string>> | undefined;
  /** The plugins whose actions tasks can call. They replace the core plugins. Default: the core plugins. */
  readonly plugins?: readonly Plugin[] | undefined;
  /** Finds the plugins of actions that `plugins` do not have. Default: a workflow that uses other actions is refused. */
  readonly loadPlugins?: PluginSource | undefined;
  /** Cancels the run and all tasks that have not ended. Default: the run cannot be cancelled. */
  readonly signal?: AbortSignal | undefined;
  /** The maximum number of tasks of one workflow to run at the same time; a called one has as many of its own. Default: 10. */
  readonly concurrency?: number | undefined;
  /**
   * Leaves the master key in the environment variable `AUTOKESTRA_SECRET_KEY`, where plugins can read it. Default:
   * false, unless a key provider of this process was told to leave it.
   */
  readonly keepInEnvironment?: boolean | undefined;
  /**
   * Whether to mask what this process prints with `console`, `process.stdout` and `process.stderr` during the run and
   * for 60 seconds after it. Set it to false in programs that mask these streams themselves. Default: true.
   */
  readonly maskProcessOutput?: boolean | ProcessOutputOptions | undefined;
  /** What is shown for a secret. Default: `***SECRET***` */
  readonly placeholder?: string | undefined;
  /** Records the states of its tasks, and what it needs to be resumed. Default: it cannot be resumed. */
  readonly durable?: DurableRun | undefined;
  /** The id of the run, a UUID that no other run has. Default: a new one. */
  readonly runId?: string | undefined;
}

/** How printed output is masked. */
export interface ProcessOutputOptions {
  /**
   * `text` prints it, masked. `log` turns each line that a task prints into a `task.log` event; other output then goes
   * to standard error. Default: `text`.
   */
  readonly as?: "text" | "log";
  /** How long output stays masked after the run, in seconds. Infinity: until the process ends. Default: 60. */
  readonly keepSeconds?: number;
  /** Writes masked output, for programs with a queue of their own. Default: the streams write it. */
  readonly write?: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
}

/**
 * Runs a workflow to its end with secrets from any source. A failed task is a result, not an exception. Use it to bring
 * your own sources or event sink; {@link openEngine} does the same with a store and a run history.
 *
 * Every run has an end. An unhandled rejection or an exception in a callback of an action fails its task. If an action
 * ends the process, or never settles while the process has nothing else to wait for, the run ends as `failed` and the
 * process with exit code 1. Errors that do not come from an action are left to the program.
 *
 * @param parsed a workflow from {@link loadWorkflow} or {@link parseWorkflow}
 * @returns the last event, masked like all others
 * @throws WorkflowError if the workflow cannot run, with all problems found
 * @throws AutokestraError before the first task: `WORKFLOW_DISABLED`, `INPUT_INVALID`, `SECRETS_MISSING`,
 * `SOURCE_FAILED`, `OPTION_INVALID` for plugins that conflict, and what a source throws
 * @example
 * ```ts
 * import { createEnvironmentSource, parseWorkflow, runWorkflow } from "@autokestra/engine";
 *
 * const workflow = parseWorkflow(
 *   `{ apiVersion: v1, id: demo, secrets: [TOKEN], tasks: [
 *      { id: say, type: core/console.log, inputs: { message: "the token is {{ secrets.TOKEN }}" } } ] }`,
 *   "demo.yaml",
 * );
 * const { status, masked } = await runWorkflow(workflow, {
 *   sources: [createEnvironmentSource({ TOKEN: "s3cret-t0ken" })],
 *   sink: (event) => event.event === "task.log" && console.log(event.message), // the token is ***SECRET***
 * });
 * console.log(status, masked);
 * ```
 */
export async function runWorkflow(parsed: ParsedWorkflow, options: RunOptions): Promise<RunFinished> {
  const { sources, plugins = corePlugins } = options;
  if (options.keepInEnvironment !== true) takeKeyVariable();
  const { inputs } = await admitRun(parsed, options.inputs);
  const leases = createLeaseEvents();
  const { scope, actions, calls, rules, warnings } = await prepareRun(parsed, {
    sources,
    resolution: options.resolution,
    scope: {
      signal: options.signal,
      leases: { seconds: parsed.workflow.timeoutSeconds ?? LEASE_SECONDS, onEvent: leases.tell },
    },
    plugins,
    loadPlugins: options.loadPlugins,
    given: options.inputs,
  });
  const output = maskProcessOutput(options);
  const masks = createRunMasks(output, options.placeholder);
  try {
    masks.declare(secretValues(scope.secrets));
    masks.declare(secretInputValues(parsed.workflow, inputs));
    const { sink, signal, concurrency = 10, maskProcessOutput: printing, runId = crypto.randomUUID() } = options;
    const logsPrints = typeof printing === "object" && printing.as === "log";
    const run = new WorkflowRun({
      id: runId,
      parsed,
      calls,
      rules,
      actions,
      scope,
      leases,
      inputs,
      masks,
      output,
      logsPrints,
      durable: options.durable ?? null,
      given: options.inputs ?? {},
      leased: leasedNames(options.resolution),
      sink,
      signal,
      concurrency,
    });
    return await run.execute(warnings.map(({ message }) => message));
  } catch (error) {
    throw error instanceof AutokestraError ? error : masks.maskValue(error);
  } finally {
    await scope.close();
    output?.close();
    masks.dispose();
  }
}

/** How long credentials last that are made for a run without a time limit, unless they are renewed. */
const LEASE_SECONDS = 3600;

/** Keeps what happens to credentials until the run has a log. */
function createLeaseEvents(): LeaseEvents {
  const before: LeaseEvent[] = [];
  let listener: ((event: LeaseEvent) => void) | null = null;
  return {
    tell: (event) => (listener === null ? void before.push(event) : listener(event)),
    listen(next) {
      listener = next;
      for (const event of before.splice(0)) next(event);
    },
  };
}

/** The secrets that are created for each run. */
function leasedNames({ bindings = {} }: ResolverOptions = {}): ReadonlySet<string> {
  return new Set(Object.keys(bindings).filter((name) => bindings[name]?.lease !== undefined));
}

/** Null where what the process prints is left alone. */
function maskProcessOutput({ maskProcessOutput: options = true, placeholder }: RunOptions): RunOutput | null {
  if (options === false) return null;
  const { as = "text", keepSeconds = 60, write } = options === true ? {} : options;
  return openRunOutput({ keepSeconds, placeholder, reservesStdout: as === "log", write });
}

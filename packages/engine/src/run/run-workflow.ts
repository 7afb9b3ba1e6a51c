import type { Plugin } from "@autokestra/plugin-sdk";
import { corePlugins } from "@autokestra/plugins-core";
import type { RunFinished, RunSink } from "@autokestra/runs";
import { takeKeyVariable } from "@autokestra/secrets/internal";
import { AutokestraError, type LeaseEvent, type SecretSource } from "@autokestra/secrets-core";
import type { ResolverOptions } from "@autokestra/secrets-resolver";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import { readInputs, secretInputValues } from "./inputs.ts";
import { createRunMasks } from "./masks.ts";
import { prepareRun } from "./prepare-run.ts";
import { openRunOutput, type RunOutput } from "./process-output.ts";
import { type LeaseEvents, WorkflowRun } from "./run.ts";
import { secretValues } from "./secret-values.ts";

export interface RunOptions {
  /** Where secrets are looked for, in this order. */
  readonly sources: readonly SecretSource[];
  /** Which names are bound to one source, and how long all may take. Default: none; 10 seconds. */
  readonly resolution?: ResolverOptions | undefined;
  /** Gets every event, masked. */
  readonly sink: RunSink;
  /** Inputs by name, as text. */
  readonly inputs?: Readonly<Record<string, string>> | undefined;
  /** Default: the core plugins. */
  readonly plugins?: readonly Plugin[] | undefined;
  /** Cancels the run: so are tasks that have not ended. */
  readonly signal?: AbortSignal | undefined;
  /** How many tasks may run at the same time. Default 10. */
  readonly concurrency?: number | undefined;
  /**
   * Leaves the master key in `AUTOKESTRA_SECRET_KEY`, where plugins can read it, for programs that own it. Default: false, unless a
   * key provider of this process has been told to leave it.
   */
  readonly keepInEnvironment?: boolean | undefined;
  /**
   * What happens to what code of this process prints with `console`, `process.stdout` and `process.stderr` while the run is open, and for
   * 60 seconds after it: true masks it, false leaves it alone, for programs that own these streams. Default: true.
   */
  readonly maskProcessOutput?: boolean | ProcessOutputOptions | undefined;
}

/** How what the process prints is masked. */
export interface ProcessOutputOptions {
  /**
   * `text` prints it, masked. `log` makes a `task.log` event of each line that a task prints; what no task has printed then goes to
   * standard error. Default: `text`.
   */
  readonly as?: "text" | "log";
  /** For how long it is masked after the end of the run. Infinity: until the process ends. Default: 60. */
  readonly keepSeconds?: number;
  /** Writes what is printed, masked, for programs that have a queue of their own. Default: the streams write it. */
  readonly write?: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
}

/**
 * Runs a workflow to its end. A failed task is a result, not an exception.
 *
 * No action leaves the run without an end: one that fails where nobody waits for it fails its task, also in a callback; one that ends
 * the process, or never ends while nothing else is left to wait for, makes the run end as `failed`, and the process with exit code 1.
 * Errors that are no action's are left to the program.
 *
 * @returns the last event, masked like all
 * @throws before the first task: AutokestraError `WORKFLOW_DISABLED`, `INPUT_INVALID`, and all of `prepareRun`
 */
export async function runWorkflow(parsed: ParsedWorkflow, options: RunOptions): Promise<RunFinished> {
  const { sources, plugins = corePlugins } = options;
  if (!parsed.workflow.enabled) {
    throw new AutokestraError("WORKFLOW_DISABLED", `Workflow '${parsed.workflow.id}' is disabled`, {
      hint: "Set `enabled: true` in its file.",
    });
  }
  if (options.keepInEnvironment !== true) takeKeyVariable();
  const inputs = readInputs(parsed.workflow, options.inputs ?? {});
  const leases = createLeaseEvents();
  const { scope, actions, warnings } = await prepareRun(parsed, {
    sources,
    resolution: options.resolution,
    scope: {
      signal: options.signal,
      leases: { seconds: parsed.workflow.timeoutSeconds ?? LEASE_SECONDS, onEvent: leases.tell },
    },
    plugins,
    given: options.inputs,
  });
  const output = maskProcessOutput(options.maskProcessOutput);
  const masks = createRunMasks(output);
  try {
    masks.add(secretValues(scope.secrets));
    masks.add(secretInputValues(parsed.workflow, inputs));
    const { sink, signal, concurrency = 10, maskProcessOutput: printing } = options;
    const logsPrints = typeof printing === "object" && printing.as === "log";
    const { workflow, templates } = parsed;
    const run = new WorkflowRun({
      workflow,
      sources: { actions, templates, scope },
      leases,
      inputs,
      masks,
      output,
      logsPrints,
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

/** Null where what the process prints is left alone. */
function maskProcessOutput(options: RunOptions["maskProcessOutput"] = true): RunOutput | null {
  if (options === false) return null;
  const { as = "text", keepSeconds = 60, write } = options === true ? {} : options;
  return openRunOutput({ keepSeconds, reservesStdout: as === "log", write });
}

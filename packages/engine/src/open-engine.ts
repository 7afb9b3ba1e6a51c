import type { Plugin } from "@autokestra/plugin-sdk";
import { openRunHistory, type RunFinished, type RunHistory, type RunSink } from "@autokestra/runs";
import { type Location, openSecretsManager, runsFile, type SecretsOptions } from "@autokestra/secrets";
import type { AutokestraError, SecretService, SecretSource } from "@autokestra/secrets-core";
import { createEnvironmentSource } from "@autokestra/secrets-resolver";
import { checkWorkflow, type WorkflowReport } from "./run/check-workflow.ts";
import { type RunOptions, runWorkflow } from "./run/run-workflow.ts";
import { createStoreSource } from "./run/sources.ts";
import type { ParsedWorkflow } from "./workflow/parse-workflow.ts";

export interface EngineOptions extends SecretsOptions {
  /** Make a store with the first secret that is written, where there is none. Default: false; it reads as empty. */
  readonly create?: boolean | undefined;
  /** Take declared secrets that the store does not have from environment variables. Default: true. */
  readonly environment?: boolean | undefined;
  /** Default: the core plugins. */
  readonly plugins?: readonly Plugin[] | undefined;
  /** The path of the run history. Default: `runs.db` in the folder around the secrets. */
  readonly runsPath?: string | undefined;
}

/** What one run needs beside what the engine has. */
export interface EngineRunOptions extends Omit<RunOptions, "sources" | "plugins" | "sink" | "keepInEnvironment"> {
  /** Gets every event, masked, after it was recorded. Default: nobody does. */
  readonly sink?: RunSink | undefined;
  /** Called once where the run is not recorded from then on, which does not stop it. Default: nobody is told. */
  readonly onUnrecorded?: ((error: AutokestraError) => void) | undefined;
}

/** Secrets, their sources, plugins and run history of one place, put together. */
export interface Engine {
  readonly secrets: SecretService;
  /** Where the secrets are. */
  readonly location: Location;
  readonly history: RunHistory;
  /** Finds everything that is wrong with a workflow file; runs nothing. @throws as `checkWorkflow` */
  check(path: string): Promise<WorkflowReport>;
  /** Runs a workflow to its end and records it. @throws as `runWorkflow` */
  run(workflow: ParsedWorkflow, options?: EngineRunOptions): Promise<RunFinished>;
  /** Waits for what is not recorded yet, and wipes the keys. */
  close(): Promise<void>;
}

/**
 * Opens secrets and run history of a place, and runs and checks workflows with them. A declared secret is taken from the store, or
 * else from the environment.
 *
 * @throws as `openSecrets`
 * @example
 * import { loadWorkflow, openEngine } from "@autokestra/engine";
 *
 * const engine = await openEngine({ storagePath: ".workflow/secrets" });
 * const { status } = await engine.run(await loadWorkflow("deploy.yaml"));
 * await engine.close();
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const { create = false, environment = true, plugins, runsPath, env = process.env, keepInEnvironment } = options;
  const { secrets, location } = await openSecretsManager({ ...options, create });
  const history = await openRunHistory({ path: runsPath ?? runsFile(options) });
  const sources: readonly SecretSource[] = [
    createStoreSource(secrets),
    ...(environment ? [createEnvironmentSource(env)] : []),
  ];

  return {
    secrets,
    location,
    history,
    check: async (path) => await checkWorkflow(path, { sources, ...(plugins && { plugins }) }),
    async run(workflow, { sink, onUnrecorded, ...runOptions } = {}) {
      const record = history.recorder((error) => onUnrecorded?.(error));
      return await runWorkflow(workflow, {
        ...runOptions,
        sources,
        plugins,
        keepInEnvironment,
        sink(event) {
          record(event);
          sink?.(event);
        },
      });
    },
    async close() {
      try {
        await history.close();
      } finally {
        await secrets.close();
      }
    },
  };
}

import type { Config } from "@autokestra/config";
import type { Plugin } from "@autokestra/plugin-sdk";
import { openRunHistory, type RunFinished, type RunHistory, type RunSink } from "@autokestra/runs";
import { type Location, openSecretsManager, runsFile, type SecretsOptions } from "@autokestra/secrets";
import type { AutokestraError, Explanation, ExternalSecretProvider, SecretService } from "@autokestra/secrets-core";
import type { CallReport } from "@autokestra/secrets-providers";
import { createEnvironmentSource, createSecretResolver } from "@autokestra/secrets-resolver";
import { type ConfiguredSources, openProviders } from "./open-providers.ts";
import { type CheckOptions, checkWorkflow, type WorkflowReport } from "./run/check-workflow.ts";
import { type RunOptions, runWorkflow } from "./run/run-workflow.ts";
import { createStoreSource } from "./run/sources.ts";
import type { ParsedWorkflow } from "./workflow/parse-workflow.ts";

export interface EngineOptions extends SecretsOptions {
  /** Make a store with the first secret that is written, where there is none. Default: false; it reads as empty. */
  readonly create?: boolean | undefined;
  /** What a configuration file says: where things are, providers, the order of sources. Options count before it. Default: nothing. */
  readonly config?: Config | null | undefined;
  /** Take declared secrets that nothing else has from environment variables. Default: what the configuration says, else true. */
  readonly environment?: boolean | undefined;
  /** Called for each call to a provider, for counters. Default: nobody counts. */
  readonly onCall?: ((call: CallReport) => void) | undefined;
  /** Default: the core plugins. */
  readonly plugins?: readonly Plugin[] | undefined;
  /** The path of the run history. Default: `runs.db` in the folder around the secrets. */
  readonly runsPath?: string | undefined;
}

/** What one run needs beside what the engine has. */
export interface EngineRunOptions
  extends Omit<RunOptions, "sources" | "resolution" | "plugins" | "sink" | "keepInEnvironment"> {
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
  /** Where else secrets are kept, as it is configured. */
  readonly providers: readonly ExternalSecretProvider[];
  /** Says where the value of a name would come from, and what each source answers; never the value. */
  explain(name: string, signal?: AbortSignal): Promise<Explanation>;
  /** Finds everything that is wrong with a workflow file; runs nothing. @throws as `checkWorkflow` */
  check(path: string, options?: Pick<CheckOptions, "offline" | "explain">): Promise<WorkflowReport>;
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
  const { create = false, config = null, plugins, runsPath, keepInEnvironment } = options;
  const place = { ...options, create, defaults: options.defaults ?? config ?? undefined };
  const { secrets, location } = await openSecretsManager(place);
  const opened: { close(): Promise<void> }[] = [secrets];
  try {
    const { sources, resolution, providers } = await openSources(secrets, options);
    opened.unshift(...providers);
    const history = await openRunHistory({ path: runsPath ?? runsFile(place) });
    opened.unshift(history);
    const where = { sources, resolution };
    return {
      secrets,
      location,
      history,
      providers,
      explain: async (name, signal) => await createSecretResolver(sources, resolution).explain(name, { signal }),
      check: async (path, checks) => await checkWorkflow(path, { ...checks, ...where, ...(plugins && { plugins }) }),
      async run(workflow, { sink, onUnrecorded, ...runOptions } = {}) {
        const record = history.recorder((error) => onUnrecorded?.(error));
        return await runWorkflow(workflow, {
          ...runOptions,
          ...where,
          plugins,
          keepInEnvironment,
          sink(event) {
            record(event);
            sink?.(event);
          },
        });
      },
      close: async () => await closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

/** The store, the environment, and the providers that are configured, in their order. */
async function openSources(secrets: SecretService, options: EngineOptions): Promise<ConfiguredSources> {
  const { config = null, env = process.env, onCall } = options;
  const store = createStoreSource(secrets);
  const variables = createEnvironmentSource(env);
  const environment = (options.environment ?? config?.environment ?? true) ? variables : null;
  if (config !== null) return await openProviders(config, { store, environment, variables, env, onCall });
  return { sources: environment === null ? [store] : [store, environment], resolution: {}, providers: [] };
}

/** Closes all, also where closing one fails. */
async function closeAll([first, ...others]: readonly { close(): Promise<void> }[]): Promise<void> {
  try {
    await first?.close();
  } finally {
    if (others.length > 0) await closeAll(others);
  }
}

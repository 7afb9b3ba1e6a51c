import type { Config } from "@autokestra/config";
import type { Plugin } from "@autokestra/plugin-sdk";
import { createCorePlugins } from "@autokestra/plugins-core";
import type { SecretsManager } from "@autokestra/secrets";
import { createProcessCipher } from "@autokestra/secrets/internal";
import type { SecretResolver } from "@autokestra/secrets-core";
import type { CallReport } from "@autokestra/secrets-providers";
import { createEnvironmentSource, createSecretResolver } from "@autokestra/secrets-resolver";
import { type ConfiguredSources, openProviders } from "./open-providers.ts";
import { createPluginHost, type KeptPlaces } from "./plugin-host/configured-plugins.ts";
import type { PluginSource } from "./plugin-host/plugin-host.ts";
import { createStoreSource } from "./run/sources.ts";

/** The options of an engine that can be replaced while it is open. */
export interface ConfigOptions {
  /** The configuration: places, providers, the order of sources. Options take precedence over it. Default: none. */
  readonly config?: Config | null | undefined;
  /** Takes declared secrets that no other source has from environment variables. Default: what `config` says, otherwise true. */
  readonly environment?: boolean | undefined;
  /**
   * Keeps values of providers with `onUnavailable: stale`, encrypted in memory, for a time in which they cannot be reached. For processes
   * with many runs. Default: false, and such a provider that cannot be reached ends the run.
   */
  readonly keepStale?: boolean | undefined;
  /** Called after each call to a provider, for counters. Default: calls are not counted. */
  readonly onCall?: ((call: CallReport) => void) | undefined;
  /**
   * The plugins in this process whose actions tasks can call. Default: the core plugins, with the network policy of `config`. Those of
   * `config` are added, each in a process of its own.
   */
  readonly plugins?: readonly Plugin[] | undefined;
}

type Changes = Pick<ConfigOptions, "config" | "environment">;
type OpenOptions = ConfigOptions & { readonly env?: NodeJS.ProcessEnv | undefined };

/** Another configuration that can be used, and is not yet. Call one of the two. */
export interface PreparedConfig {
  /** Runs, checks and webhooks that begin from now on use it. Running ones keep the one that they began with. */
  accept(): Promise<void>;
  /** Closes what was opened for it. */
  discard(): Promise<void>;
}

export type Where = Pick<ConfiguredSources, "sources" | "resolution">;

/** What a configuration names, opened. */
export interface OpenedConfig {
  readonly config: Config | null;
  readonly where: Where;
  readonly providers: ConfiguredSources["providers"];
  readonly plugins: readonly Plugin[];
}

/** The current configuration of an engine. Runs and checks keep the one that they began with. */
export class CurrentConfig {
  #current: OpenedConfig;
  /** How many runs and checks have begun with each, and not ended. */
  readonly #users = new Map<OpenedConfig, number>();
  readonly #open: (changes: Changes) => Promise<OpenedConfig>;
  readonly #places: KeptPlaces;

  private constructor(current: OpenedConfig, open: (changes: Changes) => Promise<OpenedConfig>, places: KeptPlaces) {
    this.#current = current;
    this.#open = open;
    this.#places = places;
  }

  /** @param places what no plugin may read @throws as `checkProviders` */
  static async open(manager: SecretsManager, options: OpenOptions, places: KeptPlaces): Promise<CurrentConfig> {
    const open = async (changes: Changes) => await openConfig(manager, { ...options, ...changes });
    return new CurrentConfig(await open({}), open, places);
  }

  get providers(): OpenedConfig["providers"] {
    return this.#current.providers;
  }

  /** The providers of a configuration that is replaced meanwhile are closed after the last use of it. */
  async use<T>(work: (opened: OpenedConfig) => Promise<T>): Promise<T> {
    const opened = this.#current;
    this.#users.set(opened, this.#usersOf(opened) + 1);
    try {
      return await work(opened);
    } finally {
      this.#users.set(opened, this.#usersOf(opened) - 1);
      await this.#closeUnused(opened);
    }
  }

  /** Ends the processes of plugins with the work that they were started for. */
  async useWithPlugins<T>(
    work: (opened: OpenedConfig, loadPlugins: PluginSource | undefined) => Promise<T>,
  ): Promise<T> {
    return await this.use(async (opened) => {
      const host = createPluginHost(opened.config, this.#places);
      try {
        return await work(opened, host?.load);
      } finally {
        await host?.close();
      }
    });
  }

  /** Opens another configuration. @throws as `checkProviders` */
  async prepare(changes: Changes): Promise<PreparedConfig> {
    const next = await this.#open(changes);
    return {
      accept: async () => {
        const before = this.#current;
        this.#current = next;
        await this.#closeUnused(before);
      },
      discard: async () => await closeAll(next.providers),
    };
  }

  async close(): Promise<void> {
    await closeAll(this.#current.providers);
  }

  #usersOf(opened: OpenedConfig): number {
    return this.#users.get(opened) ?? 0;
  }

  async #closeUnused(opened: OpenedConfig): Promise<void> {
    if (this.#usersOf(opened) > 0 || opened === this.#current) return;
    this.#users.delete(opened);
    await closeAll(opened.providers);
  }
}

async function openConfig(manager: SecretsManager, options: OpenOptions): Promise<OpenedConfig> {
  const { config = null, plugins = createCorePlugins(config?.http ?? {}) } = options;
  const { providers, ...where } = await openSources(manager, options);
  return { config, where, providers, plugins };
}

/** The store, the environment, and the providers that are configured, in their order. */
export async function openSources(manager: SecretsManager, options: OpenOptions): Promise<ConfiguredSources> {
  const { config = null, env = process.env, onCall, keepStale = false } = options;
  // What a run resolves is recorded as that of the run.
  const store = createStoreSource(manager.unrecorded);
  const variables = createEnvironmentSource(env);
  const environment = (options.environment ?? config?.environment ?? true) ? variables : null;
  if (config !== null)
    return await openProviders(config, {
      store,
      optionStore: createStoreSource(manager.secrets),
      environment,
      variables,
      env,
      onCall,
      cipher: keepStale ? createProcessCipher() : undefined,
    });
  return { sources: environment === null ? [store] : [store, environment], resolution: {}, providers: [] };
}

export function resolverOf({ sources, resolution }: Where): SecretResolver {
  return createSecretResolver(sources, resolution);
}

/** Closes all of them, even if closing one fails. */
export async function closeAll([first, ...others]: readonly { close(): Promise<void> }[]): Promise<void> {
  try {
    await first?.close();
  } finally {
    if (others.length > 0) await closeAll(others);
  }
}

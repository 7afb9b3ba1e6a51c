import type { Config } from "@autokestra/config";
import type { SecretsManager } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { ProviderCall, ReadinessCheck, StartOptions } from "@autokestra/server";
import type { CommandContext } from "./command.ts";

export interface ServeOptions {
  readonly host?: string;
  readonly port?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly behindProxy?: readonly string[];
  readonly workflows?: string;
  readonly corsOrigin?: readonly string[];
}

/** What a running server takes from a configuration, each time that one is read. */
export interface ServerSettings {
  /**
   * The settings of this configuration that no option overrides. Checks providers, without connecting to them.
   *
   * @throws AutokestraError `CONFIG_INVALID`, `OPTION_INVALID`
   */
  read(config: Config | undefined): Promise<Partial<StartOptions>>;
  /** What was read last is in use now: closes what was in use before. */
  accept(): Promise<void>;
  /** The changed settings that take effect only after a restart. */
  restartKeys(config: Config | undefined): readonly string[];
  close(): Promise<void>;
}

interface SettingsContext {
  readonly options: ServeOptions;
  readonly place: CommandContext["place"];
  /** The parts of every configuration. */
  readonly checks: readonly ReadinessCheck[];
  readonly manager: SecretsManager;
  readonly log: NonNullable<StartOptions["log"]>;
  readonly onCall: (call: ProviderCall) => void;
}

/** The providers of one configuration. */
interface OpenedProviders {
  readonly checks: readonly ReadinessCheck[];
  close(): Promise<void>;
}

const NO_PROVIDERS: OpenedProviders = { checks: [], close: async () => undefined };

export function createSettings(context: SettingsContext): ServerSettings {
  const { options, checks, manager, log, onCall } = context;
  let inUse = NO_PROVIDERS;
  let next = NO_PROVIDERS;

  return {
    async read(config) {
      const { createJwtVerifier, rolesOf } = await import("./server.ts");
      const server = config?.server ?? {};
      const settings = {
        tlsFiles: tlsFilesOf(options.tlsCert ?? server.tlsCert, options.tlsKey ?? server.tlsKey),
        behindProxy: options.behindProxy ?? server.behindProxy,
        corsOrigins: options.corsOrigin ?? server.corsOrigin,
        hosts: server.hosts,
        log: server.log === false ? undefined : log,
        requestsPerMinute: server.requestsPerMinute,
        refusedPerMinute: server.refusedPerMinute,
        roles: rolesOf(server.roles),
        jwt: server.jwt === undefined ? undefined : await createJwtVerifier(server.jwt),
      };
      await next.close();
      next = await openProviders(config, manager, onCall);
      return { ...settings, checks: [...checks, ...next.checks] };
    },
    async accept() {
      const before = inUse;
      inUse = next;
      next = NO_PROVIDERS;
      await before.close();
    },
    restartKeys: (config) => restartKeys(config, context),
    async close() {
      await inUse.close();
      await next.close();
    },
  };
}

/** Loads the engine if there is a provider. */
async function openProviders(
  config: Config | undefined,
  manager: SecretsManager,
  onCall: SettingsContext["onCall"],
): Promise<OpenedProviders> {
  if (config === undefined || Object.keys(config.providers).length === 0) return NO_PROVIDERS;
  const { openProviderDiagnosis } = await import("./workflows.ts");
  const opened = await openProviderDiagnosis(manager, { config, onCall });
  const checks = opened.providers.map((provider) => ({
    part: `provider:${provider.id}`,
    async check() {
      const { status, message } = await provider.diagnose();
      if (status === "failure") throw new Error(message);
    },
  }));
  return { checks, close: async () => await opened.close() };
}

function tlsFilesOf(cert: string | undefined, key: string | undefined): StartOptions["tlsFiles"] {
  if (cert === undefined && key === undefined) return undefined;
  if (cert !== undefined && key !== undefined) return { cert, key };
  throw new AutokestraError("USAGE", "--tls-cert and --tls-key go together");
}

/** The keys of `server` that count as soon as they are read. */
const RELOADED: ReadonlySet<string> = new Set([
  "tlsCert",
  "tlsKey",
  "behindProxy",
  "hosts",
  "corsOrigin",
  "log",
  "requestsPerMinute",
  "refusedPerMinute",
  "roles",
  "jwt",
  "maxRuns",
  "workflows",
]);

function restartKeys(config: Config | undefined, context: SettingsContext): readonly string[] {
  const [before, now] = [fixedKeys(context.place.defaults, context), fixedKeys(config, context)];
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name])).sort();
}

/** What a running server keeps as it was when it was started, by the names in the configuration. */
function fixedKeys(config: Config | undefined, { options, place }: SettingsContext): Readonly<Record<string, unknown>> {
  const { server = {}, storagePath, backend, keyFile, maxVersions, audit, runsPath, runsKept } = config ?? {};
  const ofServer = Object.entries(server).filter(([key]) => !RELOADED.has(key) && !Object.hasOwn(options, key));
  return {
    ...Object.fromEntries(ofServer.map(([key, value]) => [`server.${key}`, value])),
    // Another folder counts at once, but not whether there is one.
    "server.workflows": (options.workflows ?? server.workflows) !== undefined,
    "runs.path": runsPath,
    "runs.keepRuns": runsKept?.keepRuns,
    "runs.keepDays": runsKept?.keepDays,
    "runs.keepOutputs": runsKept?.keepOutputsHours,
    "runs.keepLog": runsKept?.keepLogMiB,
    "server.tlsCert": (options.tlsCert ?? server.tlsCert) !== undefined,
    "storage.path": place.storagePath ?? storagePath,
    "storage.backend": place.backend ?? backend,
    keyFile: place.keyFile ?? keyFile,
    maxVersions,
    audit,
  };
}

import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Config, ProviderConfig } from "@autokestra/config";
import type { Finding } from "@autokestra/secrets";
import type { ProcessCipher } from "@autokestra/secrets/internal";
import {
  AutokestraError,
  type ExternalSecretProvider,
  type RunLeases,
  type SecretSource,
  type SourceFailure,
} from "@autokestra/secrets-core";
import { errorCode, quoteText } from "@autokestra/secrets-core/internal";
import type { CallReport, OpenedProvider, ProviderContext } from "@autokestra/secrets-providers";
import {
  createSecretResolver,
  hasReference,
  parseTemplates,
  type ResolverOptions,
  resolveTemplates,
  type TemplateTree,
} from "@autokestra/secrets-resolver";

/** Where secrets come from, as it is configured. */
export interface ConfiguredSources {
  /** In their order. */
  readonly sources: readonly SecretSource[];
  readonly resolution: ResolverOptions;
  readonly providers: readonly OpenedProvider["provider"][];
}

export interface ProvidersOptions {
  readonly store: SecretSource;
  /** What secrets in options of providers are read from. */
  readonly optionStore: SecretSource;
  /** Null: only bound variables are read from the environment. */
  readonly environment: SecretSource | null;
  /** The environment for what is bound to a variable. */
  readonly variables: SecretSource;
  readonly env: NodeJS.ProcessEnv;
  readonly onCall?: ((call: CallReport) => void) | undefined;
  /** Encrypts values that are kept for `onUnavailable: stale`. Default: none are kept. */
  readonly cipher?: ProcessCipher | undefined;
}

/**
 * Checks the options of all providers of a configuration. Connects to nothing.
 *
 * @throws as {@link openProviders}
 */
export async function checkProviders(config: Config): Promise<readonly Pick<ExternalSecretProvider, "id" | "type">[]> {
  const definitions = await findDefinitions(config);
  const opened = definitions.map(({ id, configuration, open }) => open(configuration, { id, env: {} }));
  await Promise.all(opened.map(async ({ provider }) => await provider.close()));
  return opened.map(({ provider: { id, type } }) => ({ id, type }));
}

/**
 * Makes the providers of a configuration, and puts all sources in their order. Connects to nothing yet.
 *
 * @throws FileError `CONFIG_INVALID`; AutokestraError `OPTION_INVALID` for a package of providers that cannot be loaded
 */
export async function openProviders(config: Config, options: ProvidersOptions): Promise<ConfiguredSources> {
  const { store, optionStore, environment, variables } = options;
  const definitions = await findDefinitions(config);
  const opened = definitions.map(({ id, configuration, open }) => {
    const { env, onCall, cipher } = options;
    const context = { id, env, configFolder: dirname(config.path), onCall, cipher };
    return openWhenUsed(configuration, (plain) => open(plain, context), optionStore);
  });
  const own = [store, ...(environment === null ? [] : [environment])];
  const all = [...opened.map(({ source }) => source), ...own];
  const usual = [...opened.filter(({ hasPath }) => hasPath).map(({ source }) => source), ...own];
  const sources = config.sources?.flatMap((id) => all.filter((source) => source.id === id)) ?? usual;
  return {
    sources,
    resolution: {
      bindings: config.bindings,
      // Bound variables are read even if the environment is no source otherwise.
      boundOnly: [...all, variables].filter((source) => !sources.includes(source)),
      timeoutSeconds: config.resolveTimeoutSeconds,
    },
    providers: opened.map(({ provider }) => provider),
  };
}

/** Tells whether a provider can be reached and accepts its login. */
export async function diagnoseProvider(provider: ExternalSecretProvider): Promise<Finding> {
  const { withinLimits } = await import("@autokestra/secrets-providers");
  const answer = await withinLimits(DIAGNOSIS_MS, undefined, async (limits) => await provider.check(limits));
  const name = `${provider.id} (${provider.type})`;
  if (answer.status !== "found") {
    const { status, reason = "not found" } = answer;
    const hint = ("hint" in answer ? answer.hint : undefined) ?? null;
    return {
      status: "failure",
      subject: "provider",
      code: "SOURCE_FAILED",
      message: `${name}: ${status}: ${reason}`,
      hint,
    };
  }
  const { account, expiresAt } = answer.secret;
  const known = account === undefined ? "" : `, logged in as ${quoteText(account)}`;
  const end = expiresAt === undefined ? "" : `; the login ends at ${expiresAt}`;
  return { status: "ok", subject: "provider", code: null, message: `${name}: reachable${known}${end}`, hint: null };
}

const DIAGNOSIS_MS = 5000;

/** One provider of a configuration. */
interface DefinedProvider {
  readonly id: string;
  readonly configuration: ProviderConfig;
  readonly open: (plain: ProviderConfig, context: ProviderContext) => OpenedProvider;
}

/** Finds the types of all providers of a configuration, and checks their options. */
async function findDefinitions(config: Config): Promise<readonly DefinedProvider[]> {
  const packages = await loadPackages(config);
  const configured = Object.entries(config.providers);
  if (configured.length === 0) return [];
  // Loading what providers have in common takes longer than all else that a run without them needs.
  const { configurationSchema, findProvider, openProvider } = await import("@autokestra/secrets-providers");
  return await Promise.all(
    configured.map(async ([id, configuration]) => {
      const definition = await findProvider(configuration.type, packages);
      config.checkProvider(id, configurationSchema(definition));
      return { id, configuration, open: (plain, context) => openProvider(definition, plain, context) };
    }),
  );
}

/** Packages of providers are found from the folder of the configuration. */
async function loadPackages({ path, providerPackages }: Config): Promise<Record<string, unknown>> {
  const { resolve } = createRequire(path);
  const modules = providerPackages.map(async (name): Promise<[string, unknown]> => {
    try {
      return [name, await import(pathToFileURL(resolve(name)).href)];
    } catch (error) {
      const reason = errorCode(error) || (error instanceof Error ? error.name : "unknown error");
      throw new AutokestraError(
        "OPTION_INVALID",
        `The package '${quoteText(name)}' of providers cannot be loaded (${reason})`,
        {
          hint: "It is looked for from the folder of the configuration: install it there.",
        },
      );
    }
  });
  return Object.fromEntries(await Promise.all(modules));
}

/** A provider whose options name secrets of the store: these are read when it is asked for the first time, and not before. */
function openWhenUsed(
  configuration: ProviderConfig,
  open: (plain: ProviderConfig) => OpenedProvider,
  store: SecretSource,
): OpenedProvider {
  // Checks the options, connects to nothing, and says what the provider can do.
  const shape = open(configuration);
  const tree = parseTemplates(configuration);
  if (!hasReference(tree)) return shape;
  let opened: Promise<OpenedProvider | SourceFailure> | null = null;

  /** What `use` answers, or why the options could not be read. */
  async function ask<Answer>(use: (real: OpenedProvider) => Promise<Answer>): Promise<Answer | SourceFailure> {
    opened ??= readOptions(tree, store).then((read) => ("options" in read ? open(read.options) : read));
    const real = await opened;
    if (!("status" in real)) return await use(real);
    // It may be there when it is asked for the next time.
    opened = null;
    return real;
  }

  const { source, provider } = shape;
  return {
    ...shape,
    source: {
      ...source,
      lookup: async (...args) => await ask(async (real) => await real.source.lookup(...args)),
      leases: source.leases && deferLeases(ask),
    },
    provider: {
      ...provider,
      check: async (limits) => await ask(async (real) => await real.provider.check(limits)),
      close: async () => void (opened !== null && (await ask(async (real) => await real.provider.close()))),
    },
  };
}

type Ask = <Answer>(use: (real: OpenedProvider) => Promise<Answer>) => Promise<Answer | SourceFailure>;

const NO_LEASES: SourceFailure = { status: "malformed", reason: "it cannot create credentials" };

function deferLeases(ask: Ask): NonNullable<SecretSource["leases"]> {
  return {
    canCreate: async (...args) =>
      await ask(async ({ source }) => (await source.leases?.canCreate(...args)) ?? NO_LEASES),
    open(...args) {
      let leases: RunLeases | undefined;
      return {
        create: async (...request) =>
          await ask(async ({ source }) => {
            leases ??= source.leases?.open(...args);
            return (await leases?.create(...request)) ?? NO_LEASES;
          }),
        close: async (signal) => await leases?.close(signal),
      };
    },
  };
}

/** Puts the secrets of the store into the options of a provider. Only the store is asked: a provider must not depend on another. */
async function readOptions(
  tree: TemplateTree,
  store: SecretSource,
): Promise<{ readonly options: ProviderConfig } | SourceFailure> {
  try {
    const options = await resolveTemplates(tree, async (reference) => {
      if (reference.root !== "secrets")
        throw new AutokestraError("REFERENCE_INVALID", "only secrets can be named there");
      const scope = await createSecretResolver([store]).openScope([reference.name]);
      return await scope.lookup(reference);
    });
    return { options: options as ProviderConfig };
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    return {
      status: "denied",
      reason: `its options name a secret that cannot be read: ${error.message}`,
      hint: error.hint,
    };
  }
}

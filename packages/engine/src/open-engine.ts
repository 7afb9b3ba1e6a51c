import { openRunHistory, type QueuedRuns, type RunHistory } from "@autokestra/runs";
import {
  type AuditLog,
  type Finding,
  type Location,
  openSecretsManager,
  type SecretsManager,
  type SecretsOptions,
} from "@autokestra/secrets";
import { runsFile, verifyWebhook, type WebhookAnswer, type WebhookRequest } from "@autokestra/secrets/internal";
import {
  type Explanation,
  type ExternalSecretProvider,
  parseSecretName,
  type SecretService,
} from "@autokestra/secrets-core";
import { toText } from "@autokestra/secrets-resolver";
import {
  type ConfigOptions,
  CurrentConfig,
  closeAll,
  openSources,
  type PreparedConfig,
  resolverOf,
  type Where,
} from "./current-config.ts";
import { diagnoseProvider } from "./open-providers.ts";
import { createRecordedRuns, type EngineRuns } from "./recorded-runs.ts";
import { type CheckOptions, checkSource, checkWorkflow, type WorkflowReport } from "./run/check-workflow.ts";
import { createKeptRuns } from "./run/kept-runs.ts";
import { encryptQueuedRuns } from "./run/queued-runs.ts";
import type { ParsedWorkflow } from "./workflow/parse-workflow.ts";

/** Where {@link openEngine} finds secrets and runs, and what its tasks can call. */
export interface EngineOptions extends SecretsOptions, ConfigOptions {
  /** Secrets that are open already, and stay open when the engine is closed. Default: the engine opens them. */
  readonly manager?: SecretsManager | undefined;
  /** Creates a missing store with the first secret that is written. Default: false; a missing store reads as empty. */
  readonly create?: boolean | undefined;
  /** The path of the run history. Default: `runs.db` beside the folder of the secrets. */
  readonly runsPath?: string | undefined;
  /** Which runs stay when another one begins. Default: what `config` says, otherwise the newest 1 000. */
  readonly keep?: { readonly keepRuns?: number | undefined; readonly keepDays?: number | undefined } | undefined;
}

/** How long a run that has not succeeded can be resumed. */
const KEEP_OUTPUTS_HOURS = 24;
const HOUR_MS = 3_600_000;

/** An open store of secrets with its plugins and run history. Create one with {@link openEngine}. */
export interface Engine extends EngineRuns {
  readonly secrets: SecretService;
  /** Null where the audit log is off. */
  readonly audit: AuditLog | null;
  /** The folder of the secrets, or the URL of their store. */
  readonly location: Location;
  readonly history: RunHistory;
  /** Runs that were taken and have not begun, each with a text of the program that runs them. */
  readonly queued: QueuedRuns<string>;
  /** The providers of the configuration, as it is now. */
  readonly providers: readonly ExternalSecretProvider[];
  /**
   * Asks each provider whether it can be reached and accepts its login, for at most 5 seconds. No provider is asked for a
   * secret.
   */
  diagnoseProviders(): Promise<readonly Finding[]>;
  /** Asks each source for a name as a run would, and reports where its value would come from, never the value. */
  explain(name: string, signal?: AbortSignal): Promise<Explanation>;
  /**
   * Finds everything that is wrong with a workflow file, without running it.
   *
   * @throws the same as {@link checkWorkflow}
   */
  check(path: string, options?: Pick<CheckOptions, "offline" | "explain">): Promise<WorkflowReport>;
  /** The same for a workflow that is no file. It calls no others. */
  checkText(source: string, options?: Pick<CheckOptions, "offline" | "explain">): Promise<WorkflowReport>;
  /**
   * Verifies a request to start a workflow with a `webhook` trigger, as its `signature` says. Refuses every other workflow.
   *
   * @throws AutokestraError `SECRETS_MISSING`, `SOURCE_FAILED`, and what a source throws
   */
  verifyWebhook(workflow: ParsedWorkflow, request: WebhookRequest): Promise<WebhookAnswer>;
  /**
   * Opens what another configuration names: providers, bindings, the order of sources, plugins, the network policy, the placeholder. Places,
   * and which runs are kept, stay as they are.
   *
   * @throws as `checkProviders`
   */
  prepare(options: Pick<EngineOptions, "config" | "environment">): Promise<PreparedConfig>;
  /** Waits up to 5 seconds for events that are not recorded yet, then closes the store and wipes the keys. */
  close(): Promise<void>;
}

/**
 * Opens a store of secrets with its run history, to check and run workflows with them. It is the usual way into this
 * package: use `runWorkflow` only to bring secret sources or an event sink of your own.
 *
 * A declared secret comes from the store or, if it is not there, from an environment variable; a configuration can put
 * providers before both. Call `close` at the end.
 *
 * @throws AutokestraError the same as `openSecrets` of `@autokestra/secrets`, such as `KEY_WRONG` and
 * `STORE_UNAVAILABLE`
 * @example
 * ```ts no-run
 * import { mkdtempSync } from "node:fs";
 * import { openEngine, parseWorkflow } from "@autokestra/engine";
 *
 * const folder = mkdtempSync("/tmp/demo-");
 * const place = { storagePath: `${folder}/secrets`, keyFile: `${folder}/secret.key` };
 * const engine = await openEngine({ ...place, create: true });
 * await engine.secrets.set({ name: "TOKEN", type: "apiKey", fields: { value: "s3cret-t0ken" } });
 *
 * const workflow = parseWorkflow(
 *   `{ apiVersion: v1, id: demo, secrets: [TOKEN], tasks: [
 *      { id: say, type: core/console.log, inputs: { message: "the token is {{ secrets.TOKEN }}" } } ] }`,
 *   "demo.yaml",
 * );
 * const { status, execution } = await engine.run(workflow);
 * console.log(status, (await engine.history.events(execution)).length, "events");
 * await engine.close();
 * ```
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const { create = false, config = null } = options;
  const place = { ...options, create, defaults: options.defaults ?? config ?? undefined };
  const manager = options.manager ?? (await openSecretsManager(place));
  const { secrets, location, audit, keyFolder } = manager;
  const opened: { close(): Promise<void> }[] = options.manager === undefined ? [secrets] : [];
  try {
    const runsPath = options.runsPath ?? runsFile(place);
    const configs = await CurrentConfig.open(manager, options, {
      location,
      keyFolder,
      keyFile: place.keyFile,
      runsPath,
    });
    opened.unshift(configs);
    const { keepRuns = config?.runsKept.keepRuns, keepDays = config?.runsKept.keepDays } = options.keep ?? {};
    const keep = { runs: keepRuns, days: keepDays, logMiB: config?.runsKept.keepLogMiB };
    const history = await openRunHistory({ path: runsPath, keep });
    opened.unshift(history);
    const keepMs = (config?.runsKept.keepOutputsHours ?? KEEP_OUTPUTS_HOURS) * HOUR_MS;
    const keys = keepMs === 0 ? null : manager.keptValues;
    const keptRuns = createKeptRuns({ history, keys, keepMs });
    const { onNotice, keepInEnvironment } = options;
    return {
      secrets,
      audit,
      location,
      history,
      queued: encryptQueuedRuns(history.queued, keys, async (text) => await manager.keptValues.mark(text)),
      get providers() {
        return configs.providers;
      },
      ...createChecks(configs),
      ...createRecordedRuns({ manager, configs, keptRuns, onNotice, keepInEnvironment }),
      close: async () => await closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

type Checks = "diagnoseProviders" | "explain" | "check" | "checkText" | "verifyWebhook" | "prepare";

/** Creates the methods that run nothing. */
function createChecks(configs: CurrentConfig): Pick<Engine, Checks> {
  const check = async (
    find: typeof checkWorkflow | typeof checkSource,
    workflow: string,
    checks?: Parameters<Engine["check"]>[1],
  ) =>
    await configs.useWithPlugins(
      async ({ where, plugins }, loadPlugins) => await find(workflow, { ...checks, ...where, plugins, loadPlugins }),
    );

  return {
    diagnoseProviders: async () =>
      await configs.use(async ({ providers }) => await Promise.all(providers.map(diagnoseProvider))),
    explain: async (name, signal) =>
      await configs.use(async ({ where }) => await resolverOf(where).explain(name, { signal })),
    check: async (path, checks) => await check(checkWorkflow, path, checks),
    checkText: async (source, checks) => await check(checkSource, source, checks),
    verifyWebhook: async (workflow, request) =>
      await configs.use(async ({ where }) => await verifyRequest(workflow, request, where)),
    prepare: async (changes) => await configs.prepare(changes),
  };
}

async function verifyRequest(
  { workflow: { trigger } }: ParsedWorkflow,
  request: WebhookRequest,
  where: Where,
): Promise<WebhookAnswer> {
  if (trigger?.type !== "webhook") return { result: "refused" };
  const scope = await resolverOf(where).openScope([trigger.secret]);
  try {
    const reference = { root: "secrets", name: parseSecretName(trigger.secret), field: null } as const;
    const secret = toText(reference, await scope.lookup(reference));
    return verifyWebhook(trigger.signature, secret, request);
  } finally {
    await scope.close();
  }
}

/** A provider of a configuration, to find out whether it works. */
export interface DiagnosedProvider {
  readonly id: string;
  /** Asks whether it can be reached and accepts its login, for at most 5 seconds. Asks for no secret. */
  diagnose(): Promise<Finding>;
}

/**
 * Opens the providers of a configuration over open secrets, without plugins and run history. Connects to nothing before one is asked.
 *
 * @throws as `checkProviders`
 */
export async function openProviderDiagnosis(
  manager: SecretsManager,
  options: Pick<EngineOptions, "config" | "env" | "onCall">,
): Promise<{ readonly providers: readonly DiagnosedProvider[]; close(): Promise<void> }> {
  const { providers } = await openSources(manager, options);
  return {
    providers: providers.map((provider) => ({
      id: provider.id,
      diagnose: async () => await diagnoseProvider(provider),
    })),
    close: async () => await closeAll(providers),
  };
}

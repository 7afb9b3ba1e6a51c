import {
  type KeptRun,
  openRunHistory,
  type QueuedRuns,
  type RunFinished,
  type RunHistory,
  type RunSink,
} from "@autokestra/runs";
import {
  type AuditActor,
  type AuditLog,
  type AuditOutcome,
  type Finding,
  type Location,
  openSecretsManager,
  type SecretsManager,
  type SecretsOptions,
} from "@autokestra/secrets";
import { runsFile, verifyWebhook, type WebhookAnswer, type WebhookRequest } from "@autokestra/secrets/internal";
import {
  AutokestraError,
  type Explanation,
  type ExternalSecretProvider,
  parseSecretName,
  type SecretService,
  type SecretSource,
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
import { type CheckOptions, checkSource, checkWorkflow, type WorkflowReport } from "./run/check-workflow.ts";
import { createKeptRuns, type KeptRuns, workflowOf } from "./run/kept-runs.ts";
import { encryptQueuedRuns } from "./run/queued-runs.ts";
import { type RunOptions, runWorkflow } from "./run/run-workflow.ts";
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

/** What one run takes besides what the engine has. */
export interface EngineRunOptions
  extends Omit<
    RunOptions,
    "sources" | "resolution" | "plugins" | "loadPlugins" | "sink" | "keepInEnvironment" | "durable"
  > {
  /** Called with every event, masked, after it was recorded. Default: events are only recorded. */
  readonly sink?: RunSink | undefined;
  /** Called once when the run can no longer be recorded, which does not stop it. Default: such failures are ignored. */
  readonly onUnrecorded?: ((error: AutokestraError) => void) | undefined;
  /** Who the audit log says has started it. Default: that of the engine. */
  readonly actor?: AuditActor | undefined;
  /** The id of the request that has started it, for the audit log. Default: none. */
  readonly requestId?: string | undefined;
  /** Whether it waits in {@link Engine.queued}: it begins only if nobody has cancelled it there. Default: false. */
  readonly fromQueue?: boolean | undefined;
}

/** What {@link Engine.resume} takes. */
export interface ResumeOptions extends Omit<EngineRunOptions, "inputs" | "runId"> {
  /** Goes on although the run may still be running on another host. Default: false. */
  readonly force?: boolean | undefined;
  /** Called with the workflow before the run goes on, as its file is now. */
  readonly onWorkflow?: ((workflow: ParsedWorkflow) => void) | undefined;
  /** Called with a sentence if the workflow has changed since the run began. Default: it is not told. */
  readonly onChanged?: ((message: string) => void) | undefined;
}

/** What {@link Engine.rerun} takes. */
export interface RerunOptions extends EngineRunOptions, Pick<ResumeOptions, "onWorkflow" | "onChanged"> {
  /**
   * The id of the first task to run: it and those that need it run, and what others have returned is taken from the
   * earlier run. Default: all tasks run.
   */
  readonly from?: string | undefined;
}

/** A workflow, and the texts of the inputs that a run of it gets. */
export interface RunInput {
  readonly workflow: ParsedWorkflow;
  readonly inputs: Readonly<Record<string, string>>;
}

/** An open store of secrets with its plugins and run history. Create one with {@link openEngine}. */
export interface Engine {
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
   * Runs a workflow to its end and records the run. A failed task is a result, not an exception.
   *
   * @throws the same as {@link runWorkflow}; `AUDIT_UNAVAILABLE` where the audit log is on and cannot be written: the run has not
   * started then; `RUN_ENDED` where it was cancelled before it began
   */
  run(workflow: ParsedWorkflow, options?: EngineRunOptions): Promise<RunFinished>;
  /**
   * Opens what another configuration names: providers, bindings, the order of sources, plugins, the network policy, the placeholder. Places,
   * and which runs are kept, stay as they are.
   *
   * @throws as `checkProviders`
   */
  prepare(options: Pick<EngineOptions, "config" | "environment">): Promise<PreparedConfig>;
  /**
   * What {@link Engine.resume} would run, to refuse it before it is put in a queue.
   *
   * @throws AutokestraError `RUN_NOT_FOUND`, `RUN_NOT_RESUMABLE`, `WORKFLOW_NOT_FOUND`, `WORKFLOW_INVALID`
   */
  toResume(runId: string): Promise<RunInput>;
  /** The same for {@link Engine.rerun}. @throws AutokestraError the same, and `TASK_NOT_FOUND` */
  toRerun(runId: string, from?: string): Promise<RunInput>;
  /**
   * Goes on with a run that was lost, has failed or was cancelled, under its id: tasks that have succeeded do not run
   * again. The workflow is read again, and secrets are resolved again.
   *
   * @throws the same as {@link Engine.run}; `RUN_NOT_FOUND`, `RUN_ACTIVE`, `RUN_NOT_RESUMABLE`
   */
  resume(runId: string, options?: ResumeOptions): Promise<RunFinished>;
  /**
   * Runs the workflow of an earlier run again, as a new run with the same inputs. Inputs that are given replace them.
   *
   * @throws the same as {@link Engine.resume}; `TASK_NOT_FOUND` if there is no such task to begin with
   */
  rerun(runId: string, options?: RerunOptions): Promise<RunFinished>;
  /** Waits up to 5 seconds for events that are not recorded yet, then closes the store and wipes the keys. */
  close(): Promise<void>;
}

/**
 * Opens a store of secrets with its run history, to check and run workflows with them. It is the usual way into this
 * package: use {@link runWorkflow} only to bring secret sources or an event sink of your own.
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
    const runs = createKeptRuns({ history, keys, keepMs });
    const parts = { manager, configs, runs, onNotice: options.onNotice, keepInEnvironment: options.keepInEnvironment };
    const check = async (
      find: typeof checkWorkflow | typeof checkSource,
      workflow: string,
      checks?: Parameters<Engine["check"]>[1],
    ) =>
      await configs.useWithPlugins(
        async ({ where, plugins }, loadPlugins) => await find(workflow, { ...checks, ...where, plugins, loadPlugins }),
      );

    return {
      secrets,
      audit,
      location,
      history,
      queued: encryptQueuedRuns(history.queued, keys, async (text) => await manager.keptValues.mark(text)),
      get providers() {
        return configs.providers;
      },
      diagnoseProviders: async () =>
        await configs.use(async ({ providers }) => await Promise.all(providers.map(diagnoseProvider))),
      explain: async (name, signal) =>
        await configs.use(async ({ where }) => await resolverOf(where).explain(name, { signal })),
      check: async (path, checks) => await check(checkWorkflow, path, checks),
      checkText: async (source, checks) => await check(checkSource, source, checks),
      verifyWebhook: async (workflow, request) =>
        await configs.use(async ({ where }) => await verifyRequest(workflow, request, where)),
      prepare: async (changes) => await configs.prepare(changes),
      run: async (workflow, runOptions = {}) => await runRecorded(parts, workflow, runOptions),
      async toResume(runId) {
        const { start } = await runs.open(runId);
        return { workflow: await workflowOf(start), inputs: start.inputs };
      },
      async toRerun(runId, from) {
        const { kept, workflow } = await runs.again(runId, from);
        return { workflow, inputs: kept?.start.inputs ?? {} };
      },
      async resume(runId, { force, onWorkflow, onChanged, ...runOptions } = {}) {
        const from = await runs.open(runId);
        const workflow = await workflowOf(from.start, onChanged);
        onWorkflow?.(workflow);
        return await runRecorded(parts, workflow, { ...runOptions, runId, inputs: from.start.inputs }, { from, force });
      },
      async rerun(runId, { from: first, onWorkflow, onChanged, ...runOptions } = {}) {
        const { kept, workflow } = await runs.again(runId, first, onChanged);
        onWorkflow?.(workflow);
        const inputs = { ...kept?.start.inputs, ...runOptions.inputs };
        return await runRecorded(parts, workflow, { ...runOptions, inputs }, { from: kept });
      },
      close: async () => await closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

/** What a run takes of its engine. */
interface EngineParts extends Pick<EngineOptions, "onNotice" | "keepInEnvironment"> {
  readonly manager: SecretsManager;
  readonly configs: CurrentConfig;
  readonly runs: KeptRuns;
}

/** Runs a workflow, and records it in the run history and in the audit log. */
async function runRecorded(
  { manager, configs, runs, onNotice, keepInEnvironment }: EngineParts,
  workflow: ParsedWorkflow,
  { sink, onUnrecorded, actor, requestId, fromQueue, ...runOptions }: EngineRunOptions,
  { from = null, force }: { readonly from?: KeptRun | null; readonly force?: boolean | undefined } = {},
): Promise<RunFinished> {
  const runId = runOptions.runId ?? crypto.randomUUID();
  const { durable, record, whyNotKept } = await runs.durable(runId, { from, force, fromQueue }, (error) =>
    onUnrecorded?.(error),
  );
  const finished = await configs.useWithPlugins(async ({ config, where, plugins }, loadPlugins) => {
    const work = async (recorded: Where) =>
      await runWorkflow(workflow, {
        placeholder: config?.placeholder,
        ...runOptions,
        ...recorded,
        runId,
        durable,
        plugins,
        loadPlugins,
        keepInEnvironment,
        sink(event) {
          record(event);
          sink?.(event);
        },
      });
    return await auditRun({ manager, where, actor, requestId, runId, onUnrecorded }, workflow, work);
  });
  if (finished.status !== "success" && whyNotKept !== null) {
    onNotice?.(`this run cannot be resumed: ${whyNotKept}`);
  }
  return finished;
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

interface AuditedRun extends Pick<EngineRunOptions, "actor" | "requestId" | "onUnrecorded"> {
  readonly manager: SecretsManager;
  readonly where: Where;
  readonly runId: string;
}

/** Where the audit log is on, records the start of a run, every secret that it resolves, and its end. */
async function auditRun(
  { manager, where, actor: given, requestId, runId, onUnrecorded }: AuditedRun,
  { workflow }: ParsedWorkflow,
  run: (where: Where) => Promise<RunFinished>,
): Promise<RunFinished> {
  const { audit } = manager;
  const actor = given ?? manager.actor;
  if (audit === null || actor === null) return await run(where);
  const context = { actor, requestId, execution: runId };
  const event = { ...context, source: workflow.id };
  const recorded = (source: SecretSource) => manager.recordSource(source, context);
  const end = async (outcome: AuditOutcome) =>
    await audit.record({ ...event, action: "run.end", outcome }).catch((error) => onUnrecorded?.(error));
  await audit.record({ ...event, action: "run.start", outcome: "intent" });
  try {
    const { boundOnly } = where.resolution;
    const finished = await run({
      sources: where.sources.map(recorded),
      resolution: { ...where.resolution, ...(boundOnly && { boundOnly: boundOnly.map(recorded) }) },
    });
    await end(finished.status === "success" ? "done" : finished.status);
    return finished;
  } catch (error) {
    await end(error instanceof AutokestraError ? error.code : "failed");
    throw error;
  }
}

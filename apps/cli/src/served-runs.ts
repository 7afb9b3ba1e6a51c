import { resolve } from "node:path";
import type { Config } from "@autokestra/config";
import type { Engine } from "@autokestra/engine";
import type { RunHistory } from "@autokestra/runs";
import type { SecretsManager } from "@autokestra/secrets";
import type { Figure, Metrics, ReadinessCheck, RunRoutes } from "@autokestra/server";
import type { RunService, serveRuns, WorkflowFolder } from "@autokestra/server/runs";
import type { CommandContext } from "./command.ts";
import { ServedFolder } from "./served-folder.ts";
import type { ServeOptions } from "./server-settings.ts";

/** Opens what a server with runs needs. Null where it serves secrets only. */
export async function openServedRuns(
  { place, terminal }: CommandContext,
  options: ServeOptions,
  manager: SecretsManager,
  metrics: () => Metrics,
): Promise<OpenedRuns | null> {
  const config = place.defaults;
  const path = folderOf(options, config);
  if (path === undefined) return null;
  const { createRunService, openWorkflowFolder, serveRuns } = await import("@autokestra/server/runs");
  const { openEngine } = await import("./workflows.ts");
  const warn = (text: string): void => terminal.warn(`warning: ${text}`);
  const engine = await openEngine({
    ...place,
    manager,
    ...engineOptions(config),
    audit: true,
    keepStale: true,
    onCall: (call) => metrics().countProviderCall(call),
  });
  try {
    const runs = createRunService({
      engine,
      maxRuns: config?.server?.maxRuns,
      onNotice: warn,
      onEnded: (status) => metrics().countRun(status),
    });
    const folder = await ServedFolder.open(path, { openWorkflowFolder, runs, warn });
    return new OpenedRuns({ engine, runs, folder, options, serveRuns });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** What runs would have by another configuration. Call one of the two functions. */
export interface PreparedRuns {
  readonly routes: RunRoutes;
  /** Runs that begin from now on have it, also those that wait. Those that go on end by what they began with. */
  accept(): Promise<void>;
  discard(): Promise<void>;
}

interface OpenedRunsParts {
  readonly engine: Engine;
  readonly runs: RunService;
  readonly folder: ServedFolder;
  readonly options: ServeOptions;
  readonly serveRuns: typeof serveRuns;
}

/** What a server with runs has open. */
export class OpenedRuns {
  readonly #parts: OpenedRunsParts;
  /** For `/metrics`. */
  readonly figures: readonly Figure[];
  /** For `/health/ready`. */
  readonly checks: readonly ReadinessCheck[];

  constructor(parts: OpenedRunsParts) {
    const { runs } = parts;
    this.#parts = parts;
    this.figures = [
      { name: "autokestra_runs_running", help: "Runs that go on here", read: () => runs.counts().running },
      { name: "autokestra_runs_waiting", help: "Runs that wait to start", read: () => runs.counts().waiting },
    ];
    this.checks = [{ part: "queue", check: async () => runs.check() }];
  }

  get routes(): RunRoutes {
    return this.#routesOf(this.#parts.folder.workflows);
  }

  get history(): RunHistory {
    return this.#parts.engine.history;
  }

  /** Starts what waits, and what is due. For when there are metrics. */
  async start(): Promise<void> {
    const { runs, folder } = this.#parts;
    await runs.recover();
    await runs.schedule(folder.workflows);
  }

  /**
   * Opens what another configuration names: its workflows, providers and plugins.
   *
   * @throws AutokestraError `OPTION_INVALID`, `CONFIG_INVALID`: nothing has changed then
   */
  async prepare(config: Config | undefined): Promise<PreparedRuns> {
    const { engine, runs, folder, options } = this.#parts;
    const prepared = await engine.prepare(engineOptions(config));
    // Whether there are any is known at the start.
    const change = await folder.prepare(folderOf(options, config)).catch(async (error: unknown) => {
      await prepared.discard();
      throw error;
    });
    return {
      routes: this.#routesOf(change.workflows),
      async accept() {
        const accepted = prepared.accept();
        runs.limit(config?.server?.maxRuns);
        await change.accept();
        await accepted;
      },
      async discard() {
        change.discard();
        await prepared.discard();
      },
    };
  }

  /** Takes no more runs, and cancels those that have not ended within this time. */
  async drain(ms: number): Promise<void> {
    await this.#parts.runs.close(ms);
  }

  async close(): Promise<void> {
    this.#parts.folder.workflows.close();
    await this.#parts.engine.close();
  }

  #routesOf(workflows: WorkflowFolder): RunRoutes {
    const { engine, runs, serveRuns: routes } = this.#parts;
    return routes({ engine, runs, workflows });
  }
}

/** The option counts before the configuration. */
function folderOf(options: ServeOptions, config: Config | undefined): string | undefined {
  return options.workflows === undefined ? config?.server?.workflows : resolve(options.workflows);
}

/** In a server, variables are those of its service: what they hold is not meant for every workflow. */
function engineOptions(config: Config | undefined): { config: Config | undefined; environment: boolean } {
  return { config, environment: config?.environment ?? false };
}

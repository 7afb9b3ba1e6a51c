import { resolve } from "node:path";
import type { Config } from "@autokestra/config";
import type { RunHistory } from "@autokestra/runs";
import type { SecretsManager } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { Figure, Metrics, ReadinessCheck, RunRoutes } from "@autokestra/server";
import type { openWorkflowFolder, RunService, WorkflowFolder } from "@autokestra/server/runs";
import type { CommandContext } from "./command.ts";
import type { ServeOptions } from "./server-settings.ts";

/** What a server with runs has open. */
export interface OpenedRuns {
  readonly routes: RunRoutes;
  readonly history: RunHistory;
  /**
   * Opens what another configuration names: its workflows, providers and plugins.
   *
   * @throws AutokestraError `OPTION_INVALID`, `CONFIG_INVALID`: nothing has changed then
   */
  prepare(config: Config | undefined): Promise<PreparedRuns>;
  /** Takes no more runs, and cancels those that have not ended within this time. */
  drain(ms: number): Promise<void>;
  /** For `/metrics`. */
  readonly figures: readonly Figure[];
  /** For `/health/ready`. */
  readonly checks: readonly ReadinessCheck[];
  /** Starts what waits, and what is due. For when there are metrics. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** What runs would have by another configuration. Call one of the two functions. */
export interface PreparedRuns {
  readonly routes: RunRoutes;
  /** Runs that begin from now on have it, also those that wait. Those that go on end by what they began with. */
  accept(): Promise<void>;
  discard(): Promise<void>;
}

/** Opens what a server with runs needs. Null where it serves secrets only. */
export async function openServedRuns(
  { place, terminal }: CommandContext,
  options: ServeOptions,
  manager: SecretsManager,
  metrics: () => Metrics,
): Promise<OpenedRuns | null> {
  const config = place.defaults;
  const folderOf = (from: Config | undefined) =>
    options.workflows === undefined ? from?.server?.workflows : resolve(options.workflows);
  const path = folderOf(config);
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
    return {
      routes: serveRuns({ engine, runs, workflows: folder.workflows }),
      async prepare(next) {
        const prepared = await engine.prepare(engineOptions(next));
        // Whether there are any is known at the start.
        const change = await folder.prepare(folderOf(next)).catch(async (error: unknown) => {
          await prepared.discard();
          throw error;
        });
        return {
          routes: serveRuns({ engine, runs, workflows: change.workflows }),
          async accept() {
            const accepted = prepared.accept();
            runs.limit(next?.server?.maxRuns);
            await change.accept();
            await accepted;
          },
          async discard() {
            change.discard();
            await prepared.discard();
          },
        };
      },
      history: engine.history,
      async start() {
        await runs.recover();
        await runs.schedule(folder.workflows);
      },
      drain: async (ms) => await runs.close(ms),
      figures: [
        { name: "autokestra_runs_running", help: "Runs that go on here", read: () => runs.counts().running },
        { name: "autokestra_runs_waiting", help: "Runs that wait to start", read: () => runs.counts().waiting },
      ],
      checks: [{ part: "queue", check: async () => runs.check() }],
      async close() {
        folder.workflows.close();
        await engine.close();
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

interface FolderParts {
  readonly openWorkflowFolder: typeof openWorkflowFolder;
  readonly runs: Pick<RunService, "schedule">;
  readonly warn: (text: string) => void;
}

/** Another folder that is open, or the same one. Call one of the two functions. */
interface FolderChange {
  readonly workflows: WorkflowFolder;
  accept(): Promise<void>;
  discard(): void;
}

/** The folder whose workflows are served. */
class ServedFolder {
  readonly #parts: FolderParts;
  #path: string;
  #workflows: WorkflowFolder;

  private constructor(path: string, workflows: WorkflowFolder, parts: FolderParts) {
    this.#path = path;
    this.#workflows = workflows;
    this.#parts = parts;
  }

  /** @throws AutokestraError `OPTION_INVALID` */
  static async open(path: string, parts: FolderParts): Promise<ServedFolder> {
    let served: ServedFolder | undefined;
    const workflows = await openFolder(path, parts, (changed) => served?.scheduleAgain(changed));
    served = new ServedFolder(path, workflows, parts);
    return served;
  }

  get workflows(): WorkflowFolder {
    return this.#workflows;
  }

  /** @param path undefined: the same as now @throws AutokestraError `OPTION_INVALID` */
  async prepare(path: string = this.#path): Promise<FolderChange> {
    const before = this.#workflows;
    if (path === this.#path) return { workflows: before, accept: async () => undefined, discard: () => undefined };
    const workflows = await openFolder(path, this.#parts, (changed) => this.scheduleAgain(changed));
    return {
      workflows,
      accept: async () => {
        this.#path = path;
        this.#workflows = workflows;
        before.close();
        await this.#schedule();
      },
      discard: () => workflows.close(),
    };
  }

  /** Its files have changed. */
  scheduleAgain(changed: WorkflowFolder): void {
    if (changed === this.#workflows) void this.#schedule();
  }

  async #schedule(): Promise<void> {
    const { runs, warn } = this.#parts;
    await runs
      .schedule(this.#workflows)
      .catch(() => warn("the schedules were not updated: the workflows cannot be read"));
  }
}

async function openFolder(
  folder: string,
  { openWorkflowFolder, warn }: FolderParts,
  onChange: (changed: WorkflowFolder) => void,
): Promise<WorkflowFolder> {
  const opened = await openWorkflowFolder({
    folder,
    onProblem: (file, problem) => warn(`workflow file ${file} cannot be used: ${problem}`),
    onChange: () => onChange(opened),
  }).catch((error: unknown) => {
    throw cannotRead(folder, error);
  });
  return opened;
}

/** In a server, variables are those of its service: what they hold is not meant for every workflow. */
function engineOptions(config: Config | undefined): { config: Config | undefined; environment: boolean } {
  return { config, environment: config?.environment ?? false };
}

function cannotRead(folder: string, error: unknown): AutokestraError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  const why = code === "ENOENT" ? `does not exist: ${folder}` : `cannot be read: ${folder} (${code})`;
  return new AutokestraError("OPTION_INVALID", `The folder of the workflows ${why}`);
}

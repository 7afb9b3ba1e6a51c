import { resolve } from "node:path";
import type { Config } from "@autokestra/config";
import type { RunHistory } from "@autokestra/runs";
import type { SecretsManager } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { Figure, Metrics, ReadinessCheck, RunRoutes } from "@autokestra/server";
import type { WorkflowFolder } from "@autokestra/server/runs";
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
  const folder = folderOf(config);
  if (folder === undefined) return null;
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
    const openFolder = async (path: string): Promise<WorkflowFolder> => {
      const opened = await openWorkflowFolder({
        folder: path,
        onProblem: (file, problem) => warn(`workflow file ${file} cannot be used: ${problem}`),
        onChange: () => void (opened === workflows && schedule()),
      }).catch((error: unknown) => {
        throw cannotRead(path, error);
      });
      return opened;
    };
    const schedule = async () =>
      await runs
        .schedule(workflows)
        .catch(() => warn("the times of the workflows stay as they were: they cannot be read"));
    let path = folder;
    let workflows = await openFolder(path);
    return {
      routes: serveRuns({ engine, runs, workflows }),
      async prepare(next) {
        // Whether there are any is known at the start.
        const nextPath = folderOf(next) ?? path;
        const prepared = await engine.prepare(engineOptions(next));
        const before = workflows;
        const folderNow =
          nextPath === path
            ? before
            : await openFolder(nextPath).catch(async (error: unknown) => {
                await prepared.discard();
                throw error;
              });
        return {
          routes: serveRuns({ engine, runs, workflows: folderNow }),
          async accept() {
            [path, workflows] = [nextPath, folderNow];
            const accepted = prepared.accept();
            runs.limit(next?.server?.maxRuns);
            if (folderNow !== before) {
              before.close();
              await schedule();
            }
            await accepted;
          },
          async discard() {
            if (folderNow !== before) folderNow.close();
            await prepared.discard();
          },
        };
      },
      history: engine.history,
      async start() {
        await runs.recover();
        await runs.schedule(workflows);
      },
      drain: async (ms) => await runs.close(ms),
      figures: [
        { name: "autokestra_runs_running", help: "Runs that go on here", read: () => runs.counts().running },
        { name: "autokestra_runs_waiting", help: "Runs that wait to start", read: () => runs.counts().waiting },
      ],
      checks: [{ part: "queue", check: async () => runs.check() }],
      async close() {
        workflows.close();
        await engine.close();
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
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

import { resolve } from "node:path";
import type { RunHistory } from "@autokestra/runs";
import type { SecretsManager } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { Figure, Metrics, ReadinessCheck, RunRoutes } from "@autokestra/server";
import type { CommandContext } from "./command.ts";
import type { ServeOptions } from "./server-settings.ts";

/** What a server with runs has open. */
interface OpenedRuns {
  readonly routes: RunRoutes;
  readonly history: RunHistory;
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

/** Opens what a server with runs needs. Null where it serves secrets only. */
export async function openServedRuns(
  { place, terminal }: CommandContext,
  options: ServeOptions,
  manager: SecretsManager,
  metrics: () => Metrics,
): Promise<OpenedRuns | null> {
  const config = place.defaults;
  const folder = options.workflows === undefined ? config?.server?.workflows : resolve(options.workflows);
  if (folder === undefined) return null;
  const { createRunService, openWorkflowFolder, serveRuns } = await import("@autokestra/server/runs");
  const { openEngine } = await import("./workflows.ts");
  const warn = (text: string): void => terminal.warn(`warning: ${text}`);
  // In a server, variables are those of its service: what they hold is not meant for every workflow.
  const environment = config?.environment ?? false;
  const engine = await openEngine({
    ...place,
    manager,
    config,
    environment,
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
    const workflows = await openWorkflowFolder({
      folder,
      onProblem: (file, problem) => warn(`workflow file ${file} cannot be used: ${problem}`),
      onChange: () =>
        void runs
          .schedule(workflows)
          .catch(() => warn("the times of the workflows stay as they were: they cannot be read")),
    }).catch((error: unknown) => {
      throw cannotRead(folder, error);
    });
    return {
      routes: serveRuns({ engine, runs, workflows }),
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

function cannotRead(folder: string, error: unknown): AutokestraError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  const why = code === "ENOENT" ? `does not exist: ${folder}` : `cannot be read: ${folder} (${code})`;
  return new AutokestraError("OPTION_INVALID", `The folder of the workflows ${why}`);
}

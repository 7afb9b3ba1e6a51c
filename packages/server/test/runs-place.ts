import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Engine, openEngine } from "@autokestra/engine";
import { vi } from "vitest";
import {
  createRunService,
  openWorkflowFolder,
  type RunService,
  type RunServiceOptions,
  serveRuns,
} from "../src/runs.ts";
import { createServerPlace, type ServerPlace } from "./server-place.ts";

export interface RunsPlace extends ServerPlace {
  readonly engine: Engine;
  readonly runs: RunService;
  /** The folder of the workflows. */
  readonly workflows: string;
  readonly notices: string[];
  /** Waits until a run neither waits nor goes on. */
  ended(id: string): Promise<void>;
}

/** A server, as `app`, with these workflows, by the names of their files. */
export async function createRunsPlace(
  files: Readonly<Record<string, string>>,
  { wrap = (engine) => engine, ...limits }: Partial<RunServiceOptions> & { wrap?: (engine: Engine) => Engine } = {},
): Promise<RunsPlace> {
  const place = await createServerPlace();
  const workflows = join(place.folder, "workflows");
  mkdirSync(workflows);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(workflows, name), text);
  const runsPath = join(place.folder, "runs.db");
  const engine = wrap(await openEngine({ manager: place.manager, env: {}, environment: false, runsPath }));
  const notices: string[] = [];
  const runs = createRunService({ engine, onNotice: (text) => void notices.push(text), ...limits });
  const folder = await openWorkflowFolder({ folder: workflows, onProblem: () => undefined, onChange: () => undefined });
  return {
    ...place,
    engine,
    runs,
    workflows,
    notices,
    // Hooks wait too, and `expect.poll` is for tests alone.
    ended: async (id) => void (await vi.waitUntil(() => runs.active(id) === null, { timeout: 100_000 })),
    app: await place.serve({ runs: serveRuns({ engine, runs, workflows: folder }) }),
    async close() {
      await runs.close(0);
      folder.close();
      await engine.close();
      await place.close();
    },
  };
}

/**
 * What a server needs to run workflows. With it `@autokestra/engine` is loaded, which must be installed.
 *
 * @module
 */
import type { RunRoutes } from "./create-server.ts";
import { addHookRoutes, HOOK_PATH } from "./hooks-api.ts";
import type { ServedRuns } from "./run-service.ts";
import { addRunRoutes } from "./runs-api.ts";

export {
  createRunService,
  type RunService,
  type RunServiceOptions,
  type ServedRuns,
  type StartRequest,
} from "./run-service.ts";
export {
  openWorkflowFolder,
  type WorkflowFile,
  type WorkflowFolder,
  type WorkflowFolderOptions,
} from "./workflow-folder.ts";

/**
 * The routes of workflows, runs and webhooks, for `createServer({ runs })`.
 *
 * @param served stays open: close it after the server
 */
export function serveRuns(served: ServedRuns): RunRoutes {
  return {
    openPaths: [HOOK_PATH],
    async addTo(app, access, secretsFor) {
      addRunRoutes(app, access, served, secretsFor);
      await app.register(async (hooks) => addHookRoutes(hooks, access, served));
    },
  };
}

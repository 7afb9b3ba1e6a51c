/**
 * The HTTP API of secrets: a server, and a plugin for servers of others.
 *
 * @module
 */

export type { AccessOptions } from "./access-control.ts";
export type * from "./answers.ts";
export { createServer, type ServerOptions } from "./create-server.ts";
export { createJwtVerifier, type JwtOptions, type JwtVerifier } from "./jwt.ts";
export { createMetrics, type Figure, type Metrics, type ProviderCall } from "./metrics.ts";
export type { Principal } from "./principal.ts";
export type { Problem } from "./problem.ts";
export type { CheckedPart, ReadinessCheck } from "./readiness.ts";
export {
  createRunService,
  type RunService,
  type RunServiceOptions,
  type ServedRuns,
  type StartRequest,
} from "./run-service.ts";
export { type SecretsApiOptions, secretsApi } from "./secrets-api.ts";
export { type RunningServer, type StartOptions, startServer } from "./start-server.ts";
export { createUpkeep, type Upkeep, type UpkeepOptions } from "./upkeep.ts";
export {
  openWorkflowFolder,
  type WorkflowFile,
  type WorkflowFolder,
  type WorkflowFolderOptions,
} from "./workflow-folder.ts";

/**
 * The HTTP API of secrets: a server, and a plugin for servers of others.
 *
 * @module
 */

export type { AccessOptions } from "./access-control.ts";
export { createServer, type RunRoutes, type ServerOptions } from "./create-server.ts";
export { createJwtVerifier, type JwtOptions, type JwtVerifier } from "./jwt.ts";
export { createMetrics, type Figure, type Metrics, type ProviderCall } from "./metrics.ts";
export type { Principal } from "./principal.ts";
export type { CheckedPart, ReadinessCheck } from "./readiness.ts";
export { type SecretsApiOptions, secretsApi } from "./secrets-api.ts";
export { type RunningServer, type StartOptions, startServer } from "./start-server.ts";
export { createUpkeep, type Upkeep, type UpkeepOptions } from "./upkeep.ts";

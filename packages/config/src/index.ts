/**
 * Finds and reads `autokestra.config.yaml`.
 *
 * @module
 */
export type { AuditConfig } from "./audit-config.ts";
export { type Config, configJsonSchema, type PluginConfig, type ProviderConfig, parseConfig } from "./config.ts";
export type { HttpConfig } from "./http-config.ts";
export { CONFIG_VARIABLE, type ConfigOptions, findConfig, loadConfig } from "./load-config.ts";
export type { BackupsConfig, JwtConfig, ServerConfig } from "./server-config.ts";

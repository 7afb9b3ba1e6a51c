/**
 * Finds and reads `autokestra.config.yaml`.
 *
 * @module
 */
export { type AuditConfig, type Config, configJsonSchema, type ProviderConfig, parseConfig } from "./config.ts";
export { CONFIG_VARIABLE, type ConfigOptions, findConfig, loadConfig } from "./load-config.ts";

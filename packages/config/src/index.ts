/**
 * Finds and reads `autokestra.config.yaml`.
 *
 * @module
 */
export {
  type AuditConfig,
  type Config,
  configJsonSchema,
  type JwtConfig,
  type ProviderConfig,
  parseConfig,
  type ServerConfig,
} from "./config.ts";
export { CONFIG_VARIABLE, type ConfigOptions, findConfig, loadConfig } from "./load-config.ts";

/**
 * Takes secrets from elsewhere: Vault, clouds, servers, folders, programs. Each type of provider has its own entry,
 * such as `@autokestra/secrets-providers/http`; this one has what they are built with, and how a configuration finds
 * them.
 *
 * @module
 */
export { decodeText, denied, type Failure, malformed, notFound, quoteLong, unavailable } from "./answers.ts";
export {
  configurationSchema,
  defineProvider,
  type OpenedProvider,
  openProvider,
  type ProviderContext,
  type ProviderDefinition,
} from "./define-provider.ts";
export { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
export type { HttpRequest, HttpResponse } from "./exchange.ts";
export {
  type CallReport,
  createHttpClient,
  encodePath,
  failureOf,
  type HttpClient,
  type HttpOptions,
  readJson,
} from "./http-call.ts";
export { withinLimits } from "./limits.ts";
export { createLogin, type Login, type LoginOptions, type LoginToken } from "./login.ts";
export { createProviderSource, type ProviderSourceOptions, type TextCipher } from "./provider-source.ts";
export { findProvider, PROVIDER_TYPES } from "./provider-types.ts";
export { readToken, type TokenOptions, tokenShape } from "./token.ts";
export { toSecret, type ValueOptions } from "./value.ts";

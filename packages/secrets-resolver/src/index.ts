/**
 * Finds the secrets that a workflow declares, and replaces references by their values.
 *
 * @module
 */
export { createEnvironmentSource } from "./environment-source.ts";
export {
  hasReference,
  type Lookup,
  MAX_DEPTH,
  type OnFiltered,
  parseTemplates,
  resolveTemplates,
  type TemplateTree,
  toText,
  wholeReference,
} from "./resolve-templates.ts";
export { createSecretResolver, type ResolverOptions } from "./secret-resolver.ts";
export { createStoreSource } from "./store-source.ts";

import { AutokestraError } from "@autokestra/secrets-core";
import { quoteText, z } from "@autokestra/secrets-core/internal";
import type { ProviderDefinition } from "./define-provider.ts";

/** The built-in types. Each is loaded when it is used. */
export const PROVIDER_TYPES: Readonly<Record<string, () => Promise<ProviderDefinition>>> = {
  "aws-secrets-manager": async () => (await import("./aws-secrets-manager.ts")).awsSecretsManagerProvider,
  "azure-key-vault": async () => (await import("./azure-key-vault.ts")).azureKeyVaultProvider,
  command: async () => (await import("./command.ts")).commandProvider,
  directory: async () => (await import("./directory.ts")).directoryProvider,
  doppler: async () => (await import("./doppler.ts")).dopplerProvider,
  "gcp-secret-manager": async () => (await import("./gcp-secret-manager.ts")).gcpSecretManagerProvider,
  http: async () => (await import("./http.ts")).httpProvider,
  infisical: async () => (await import("./infisical.ts")).infisicalProvider,
  kubernetes: async () => (await import("./kubernetes.ts")).kubernetesProvider,
  "onepassword-connect": async () => (await import("./onepassword-connect.ts")).onePasswordConnectProvider,
  vault: async () => (await import("./vault.ts")).vaultProvider,
};

/**
 * Finds the definition of a type of provider: a built-in one, else one in other packages.
 *
 * @param packages the modules of provider packages by name. Default: none
 * @throws AutokestraError `OPTION_INVALID`
 */
export async function findProvider(
  type: string,
  packages: Readonly<Record<string, unknown>> = {},
): Promise<ProviderDefinition> {
  const load = Object.hasOwn(PROVIDER_TYPES, type) ? PROVIDER_TYPES[type] : undefined;
  if (load !== undefined) return await load();
  const definitions = Object.values(packages).flatMap(definitionsIn);
  const found = definitions.find((definition) => definition.type === type);
  if (found !== undefined) return found;
  const types = [...Object.keys(PROVIDER_TYPES), ...definitions.map((definition) => definition.type)];
  throw new AutokestraError("OPTION_INVALID", `There is no provider of type '${quoteText(type)}'`, {
    hint: `Types: ${types.toSorted().map(quoteText).join(", ")}.`,
  });
}

/** Returns the exports of a module that `defineProvider` has made. */
function definitionsIn(module: unknown): ProviderDefinition[] {
  return typeof module === "object" && module !== null ? Object.values(module).filter(isDefinition) : [];
}

function isDefinition(value: unknown): value is ProviderDefinition {
  if (typeof value !== "object" || value === null || !("type" in value && "options" in value && "create" in value)) {
    return false;
  }
  return typeof value.type === "string" && value.options instanceof z.ZodObject && typeof value.create === "function";
}

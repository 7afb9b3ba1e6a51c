/**
 * Takes secrets from HashiCorp Vault and OpenBao: from key-value engines, and credentials that are created for one run.
 *
 * @module
 */
import { AutokestraError, type ExternalSecretProvider, type ProviderAnswer } from "@autokestra/secrets-core";
import { parseTimestamp, z } from "@autokestra/secrets-core/internal";
import { malformed, notFound, quoteLong, refuseVersion } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";
import { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
import type { HttpResponse } from "./exchange.ts";
import { encodePath, readJson } from "./http-call.ts";
import { createVaultClient, trimSlashes, vaultFailure } from "./vault-client.ts";
import { createVaultLeases } from "./vault-leases.ts";
import { createVaultLogin, LOOK_UP_SELF, readSelf, type VaultAuth, vaultAuthSchema } from "./vault-login.ts";

export type { VaultAuth } from "./vault-login.ts";

/**
 * How to reach Vault. Defaults come from the variables `BAO_…` and `VAULT_…` of the environment: `ADDR`, `NAMESPACE`,
 * `CACERT`, `TOKEN` and `CLIENT_TIMEOUT`.
 */
export interface VaultProviderOptions extends Omit<ConnectionOptions, "address" | "env">, Partial<ProviderContext> {
  /** The address, such as `https://vault.example:8200`. Default: `BAO_ADDR` or `VAULT_ADDR`. */
  readonly address?: string | undefined;
  /** The namespace, such as `team-a`. Default: `BAO_NAMESPACE` or `VAULT_NAMESPACE`, else the root namespace. */
  readonly namespace?: string | undefined;
  /** The path at which the key-value engine is mounted. Default: `secret`. */
  readonly mount?: string | undefined;
  /** The version of the key-value engine. Default: 2. */
  readonly version?: 1 | 2 | undefined;
  /** How to log in. Default: with an existing token. */
  readonly auth?: VaultAuth | undefined;
}

/**
 * Creates a provider for HashiCorp Vault or OpenBao. A path is that of a secret below the mount. It logs in when it is
 * first used, and revokes its login when it is closed. Make a source of it with `createProviderSource`.
 *
 * @throws AutokestraError `OPTION_INVALID`
 *
 * @example
 * ```ts no-run
 * import { createProviderSource } from "@autokestra/secrets-providers";
 * import { createVaultProvider } from "@autokestra/secrets-providers/vault";
 *
 * const provider = createVaultProvider({
 *   address: "https://vault.example:8200",
 *   auth: { method: "approle", roleId: "6fc1…", secretIdFile: "/run/secrets/secret-id" },
 * });
 * const source = createProviderSource(provider, { path: "apps/{name}" });
 * console.log(source.id); // the source goes to `createSecretResolver` of @autokestra/secrets-resolver
 * await provider.close();
 * ```
 */
export function createVaultProvider(options: VaultProviderOptions): ExternalSecretProvider {
  const { id = "vault", env = process.env, onCall, auth = { method: "token" }, version: engine = 2 } = options;
  const variable = (name: string) => env[`BAO_${name}`] || env[`VAULT_${name}`] || undefined;
  const { address = variable("ADDR"), namespace = variable("NAMESPACE"), caFile = variable("CACERT") } = options;
  if (address === undefined) {
    throw new AutokestraError("OPTION_INVALID", "The provider of Vault has no address", {
      hint: "Give it one, or set VAULT_ADDR.",
    });
  }
  const mount = trimSlashes(options.mount ?? "secret");
  const client = createVaultClient({ ...options, address, namespace, caFile, provider: id, env, onCall });
  const login = createVaultLogin(client, auth, env);

  return {
    id,
    type: "vault",
    capabilities: { versions: engine === 2, leases: true },
    timeoutSeconds: readTimeout(variable("CLIENT_TIMEOUT")),

    async lookup({ path, version }, limits) {
      if (path.split("/").includes("")) {
        return malformed(
          `${quoteLong(path)} is not a path of a secret`,
          "It has no slash at its ends, and no double slash.",
        );
      }
      const refused = refuseVersion(version);
      if (refused !== null) return refused;
      const place = engine === 2 ? `${mount}/data/${path}` : `${mount}/${path}`;
      const query = new URLSearchParams(version === undefined ? {} : { version });
      const response = await login.use(limits, async (token) => {
        return await client.send({ call: "read", path: encodePath(place), query, token }, limits);
      });
      if (!("headers" in response)) return response;
      const need = `read on ${quoteLong(place)}`;
      return engine === 2 ? readVersioned(response, need) : readUnversioned(response, need);
    },

    leases: createVaultLeases(client, login),

    async check(limits) {
      const query = new URLSearchParams({ standbyok: "true" });
      const health = await client.send({ call: "check", path: "sys/health", query, isGlobal: true }, limits);
      if (!("headers" in health)) return health;
      if (health.status !== 200) return vaultFailure(health, "");
      const response = await login.use(limits, async (token) => await client.send({ ...LOOK_UP_SELF, token }, limits));
      if (!("headers" in response)) return response;
      const self = readSelf(response);
      if (self.status !== "found") return self;
      const { account, expiresAt } = self.secret;
      return { status: "found", secret: { account, expiresAt } };
    },

    async close() {
      await login.close();
      await client.close();
    },
  };
}

const fieldsSchema = z.record(z.string(), z.unknown());
const versionedSchema = z.object({
  data: z.object({
    data: fieldsSchema.nullable(),
    metadata: z.object({ version: z.number(), deletion_time: z.string(), destroyed: z.boolean() }),
  }),
});

/** For a deleted or destroyed version, Vault answers 404 with its metadata; for one that never existed, 404 without. */
function readVersioned(response: HttpResponse, need: string): ProviderAnswer {
  if (response.status !== 200 && response.status !== 404) return vaultFailure(response, need);
  const json = readJson(response, versionedSchema);
  if (!("value" in json)) return response.status === 404 ? vaultFailure(response, need) : json;
  const { data: value, metadata } = json.value.data;
  const { version, deletion_time: deletedAt, destroyed } = metadata;
  if (value === null) {
    const end = destroyed ? "is destroyed" : `was deleted at ${quoteLong(deletedAt)}`;
    return notFound(`${response.asked}: version ${version} ${end}.`);
  }
  // A deletion time in the future is the expiry.
  return { status: "found", secret: { value, version: String(version), expiresAt: parseTimestamp(deletedAt) } };
}

const unversionedSchema = z.object({ data: fieldsSchema });
const warnedSchema = z.object({ warnings: z.array(z.string()) });

function readUnversioned(response: HttpResponse, need: string): ProviderAnswer {
  if (response.status === 404) {
    const warned = readJson(response, warnedSchema);
    if (
      "value" in warned &&
      warned.value.warnings.some((warning) => warning.startsWith("Invalid path for a versioned"))
    ) {
      return malformed(`${response.asked}: the engine is one with versions`, "Its version is 2, not 1.");
    }
  }
  if (response.status !== 200) return vaultFailure(response, need);
  const json = readJson(response, unversionedSchema);
  return "value" in json ? { status: "found", secret: { value: json.value.data } } : json;
}

/** Parses a number of seconds or a duration of Go, such as `1m30s`. The result is between 1 and 60 seconds. */
function readTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(text);
  if (match === null) {
    throw new AutokestraError("OPTION_INVALID", "VAULT_CLIENT_TIMEOUT is not a time", { hint: "Write it like 30s." });
  }
  const [hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((count: string | undefined) => Number(count ?? 0));
  return Math.min(60, Math.max(1, hours * 3600 + minutes * 60 + seconds));
}

/** The type `vault` of a configuration. */
export const vaultProvider: ProviderDefinition = defineProvider({
  type: "vault",
  options: z.strictObject({
    ...connectionShape,
    address: z.string().exactOptional(),
    namespace: z.string().exactOptional(),
    mount: z.string().min(1).exactOptional(),
    version: z.union([z.literal(1), z.literal(2)]).exactOptional(),
    auth: vaultAuthSchema.exactOptional(),
  }),
  create: (options, context) => createVaultProvider({ ...options, ...context }),
});

/**
 * Takes secrets from Azure Key Vault.
 *
 * @module
 */
import type { CallLimits, ExternalSecretProvider, ProviderAnswer } from "@autokestra/secrets-core";
import { errorCode, parseTimestamp, z } from "@autokestra/secrets-core/internal";
import type * as AzureIdentity from "@azure/identity";
import { denied, type Failure, malformed, notFound, quoteLong, unavailable } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";
import { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
import type { HttpResponse } from "./exchange.ts";
import { createHttpClient, failureOf, type HttpClient, readJson } from "./http-call.ts";
import { untilAborted } from "./limits.ts";
import { createLogin, type LoginToken, sendSignedIn } from "./login.ts";
import { loadPeer } from "./peers.ts";
import { readToken, type TokenOptions, tokenShape } from "./token.ts";

/** How to log in. Files and variables are read again for each login. */
export type AzureAuth =
  /**
   * As the tools of Azure do (environment, workload and managed identities, `az login`), with the npm package
   * `@azure/identity`.
   */
  | { readonly method: "default"; readonly tenantId?: string | undefined }
  /** As an application with a client secret. */
  | {
      readonly method: "clientSecret";
      readonly tenantId: string;
      readonly clientId: string;
      readonly clientSecret?: string | undefined;
      readonly clientSecretEnv?: string | undefined;
      readonly clientSecretFile?: string | undefined;
      /** Default: `https://login.microsoftonline.com`. */
      readonly authority?: string | undefined;
    }
  /** With an existing token. */
  | ({ readonly method: "token" } & TokenOptions);

export interface AzureKeyVaultProviderOptions extends Omit<ConnectionOptions, "env">, Partial<ProviderContext> {
  /** The address of the vault, such as `https://my-vault.vault.azure.net`. */
  readonly address: string;
  /** The scope of the token. Default: `https://vault.azure.net/.default`. */
  readonly scope?: string | undefined;
  /** How to log in. Default: with `@azure/identity`. */
  readonly auth?: AzureAuth | undefined;
}

const API_VERSION = "7.4";

/**
 * Creates a provider for a vault of Azure Key Vault. A path is the name of a secret.
 *
 * @throws AutokestraError `OPTION_INVALID`
 *
 * @example
 * ```ts no-run
 * import { createAzureKeyVaultProvider } from "@autokestra/secrets-providers/azure-key-vault";
 *
 * const provider = createAzureKeyVaultProvider({ address: "https://my-vault.vault.azure.net" });
 * const limits = { signal: AbortSignal.timeout(5000), deadline: Date.now() + 5000 };
 * const answer = await provider.lookup({ path: "db-password", format: "text" }, limits);
 * console.log(answer.status);
 * await provider.close();
 * ```
 */
export function createAzureKeyVaultProvider(options: AzureKeyVaultProviderOptions): ExternalSecretProvider {
  const { id = "azure-key-vault", env = process.env, onCall } = options;
  const client = createHttpClient({ ...options, provider: id, env, onCall });
  const session = createSession({ ...options, id }, env);
  const login = createLogin({ logIn: async (limits) => await session.logIn(limits) });

  async function get(call: string, path: string, limits: CallLimits, more: Readonly<Record<string, string>> = {}) {
    const query = new URLSearchParams({ "api-version": API_VERSION, ...more });
    return await sendSignedIn(login, client, { call, path, query }, limits);
  }

  return {
    id,
    type: "azure-key-vault",
    capabilities: { versions: true, leases: false },

    async lookup({ path, version }, limits) {
      if (!/^[0-9a-zA-Z-]{1,127}$/.test(path)) {
        const hint = "Names there have letters, digits and - only: bind the name to the one that it has there.";
        return malformed(`${quoteLong(path)} is not a name of a secret in Key Vault`, hint);
      }
      if (version !== undefined && !/^[0-9a-zA-Z]{1,64}$/.test(version)) {
        return malformed(`${quoteLong(version)} is not a version`, "Versions have 32 hexadecimal digits.");
      }
      const response = await get("read", `/secrets/${path}${version === undefined ? "" : `/${version}`}`, limits);
      return "headers" in response ? readSecret(response) : response;
    },

    /** A missing permission still means that the login is accepted. */
    async check(limits) {
      const response = await get("check", "/secrets", limits, { maxresults: "1" });
      if (!("headers" in response)) return response;
      const isKnown = response.status === 403 && /ForbiddenBy(Policy|Rbac)/.test(codeOf(response) ?? "");
      return response.status === 200 || isKnown ? { status: "found", secret: {} } : failureOfAzure(response);
    },

    async close() {
      await Promise.all([client.close(), session.close()]);
    },
  };
}

const secretSchema = z.object({
  value: z.string(),
  id: z.string(),
  attributes: z.object({
    enabled: z.boolean().optional(),
    exp: z.number().optional(),
    nbf: z.number().optional(),
  }),
});

function readSecret(response: HttpResponse): ProviderAnswer {
  if (response.status !== 200) return failureOfAzure(response);
  const json = readJson(response, secretSchema);
  if (!("value" in json)) return json;
  const { value, id, attributes } = json.value;
  const { enabled = true, exp, nbf } = attributes;
  if (!enabled) return notFound(`${response.asked}: the version is disabled.`);
  if (nbf !== undefined && nbf * 1000 > Date.now()) {
    return notFound(`${response.asked}: it is not valid before ${timeOf(nbf) ?? "a later time"}.`);
  }
  const version = /\/secrets\/[^/]+\/(\w+)$/.exec(id)?.[1];
  return { status: "found", secret: { value, version, expiresAt: exp === undefined ? null : timeOf(exp) } };
}

function timeOf(seconds: number) {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? null : parseTimestamp(time.toISOString());
}

const errorSchema = z.object({
  error: z.object({ code: z.string(), innererror: z.object({ code: z.string() }).nullish() }),
});

/** Returns the most specific error code of the response, if it is a word. */
function codeOf(response: HttpResponse): string | undefined {
  const json = readJson(response, errorSchema);
  if (!("value" in json)) return undefined;
  const { code, innererror } = json.value.error;
  return [innererror?.code, code].find((word) => word !== undefined && /^\w{1,60}$/.test(word));
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^SecretNotFound$/, "It was never there, or it is deleted and may be recovered."],
  [/^ForbiddenByFirewall$/, "The firewall of the vault does not let this machine in."],
  [/^ForbiddenByPolicy$/, "The access policy of the vault needs the permission get for secrets."],
  [/^ForbiddenByRbac$/, "The account needs the role Key Vault Secrets User."],
  [/^Unauthorized$/, "The token is wrong or has run out, or comes from another tenant than the vault."],
];

function failureOfAzure(response: HttpResponse): Failure {
  const code = codeOf(response);
  if (response.status === 403 && code === "SecretDisabled")
    return notFound(`${response.asked}: the version is disabled.`);
  const hint = HINTS.find(([pattern]) => pattern.test(code ?? ""))?.[1];
  return failureOf(response, { code, hint });
}

interface Session {
  logIn(limits: CallLimits): Promise<LoginToken | Failure>;
  close(): Promise<void>;
}

type ClientSecretAuth = Extract<AzureAuth, { method: "clientSecret" }>;

function createSession(
  options: AzureKeyVaultProviderOptions & { readonly id: string },
  env: NodeJS.ProcessEnv,
): Session {
  const {
    id,
    auth = { method: "default" },
    scope = "https://vault.azure.net/.default",
    onCall,
    configFolder,
  } = options;
  const { caFile, allowHttp } = options;
  if (auth.method === "token") return { logIn: async () => await readToken(auth, env), close: async () => undefined };
  if (auth.method === "clientSecret") {
    const { authority: address = "https://login.microsoftonline.com" } = auth;
    const client = createHttpClient({ address, caFile, allowHttp, provider: id, env, onCall });
    return {
      logIn: async (limits) => await sendClientSecret(client, auth, scope, env, limits),
      close: async () => await client.close(),
    };
  }
  let credential: AzureIdentity.TokenCredential | null = null;
  return {
    async logIn(limits) {
      const library = await loadPeer("@azure/identity", configFolder, {
        besideUs: async () => await import("@azure/identity"),
        fromFolder: (require) => require("@azure/identity") as typeof AzureIdentity,
      });
      if ("reason" in library) return library;
      const { DefaultAzureCredential } = library;
      const { tenantId } = auth;
      try {
        credential ??= new DefaultAzureCredential(tenantId === undefined ? {} : { tenantId });
        const asked = credential.getToken(scope, { abortSignal: limits.signal });
        const found = await untilAborted(asked, limits.signal, "Azure: no login in time");
        if (found === null) return denied("the login to Azure has given no token");
        return "reason" in found ? found : { token: found.token, endsAt: found.expiresOnTimestamp };
      } catch (error) {
        return failureOfLibrary(error);
      }
    },
    close: async () => undefined,
  };
}

const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number() });
const refusedSchema = z.object({ error: z.string(), error_codes: z.array(z.number()).optional() });

async function sendClientSecret(
  client: HttpClient,
  auth: ClientSecretAuth,
  scope: string,
  env: NodeJS.ProcessEnv,
  limits: CallLimits,
): Promise<LoginToken | Failure> {
  const { tenantId, clientId, clientSecret: token, clientSecretEnv: tokenEnv, clientSecretFile: tokenFile } = auth;
  const secret = await readToken({ token, tokenEnv, tokenFile }, env);
  if (!("token" in secret)) return secret;
  const form = { grant_type: "client_credentials", client_id: clientId, client_secret: secret.token, scope };
  const response = await client.send(
    {
      call: "login",
      path: `/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
    },
    limits,
  );
  if (!("headers" in response)) return response;
  if (response.status !== 200) return failureOfLogin(response);
  const json = readJson(response, tokenSchema);
  if (!("value" in json)) return json;
  const { access_token, expires_in: seconds } = json.value;
  return { token: access_token, endsAt: Date.now() + seconds * 1000 };
}

function failureOfLogin(response: HttpResponse): Failure {
  const json = readJson(response, refusedSchema);
  const { error = "", error_codes: [number] = [] } = "value" in json ? json.value : {};
  const code = number === undefined ? (/^\w{1,60}$/.test(error) ? error : undefined) : `AADSTS${number}`;
  const hint = "Check tenantId, clientId and the client secret, which may have run out.";
  if (response.status !== 400) return failureOf(response, { code, hint });
  return denied(`${response.asked}: 400${code === undefined ? "" : ` ${code}`}`, hint);
}

/**
 * Converts an error of `@azure/identity`. Uses only name, status and code, because the message can contain what was
 * sent.
 */
function failureOfLibrary(error: unknown): Failure {
  const status: unknown = error instanceof Error ? Reflect.get(error, "statusCode") : undefined;
  const asked = "the login to Azure";
  if (typeof status === "number" && (status >= 500 || status === 429)) return unavailable(`${asked}: ${status}`);
  const code = errorCode(error);
  if (/^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|REQUEST_SEND_ERROR)/.test(code))
    return unavailable(`${asked}: network error (${code})`);
  const hint =
    "Log in with the Azure CLI, give this machine an identity, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.";
  return denied(`there are no credentials of Azure that can be used`, hint);
}

const text = z.string().min(1);

const authSchema: z.ZodType<AzureAuth> = z.discriminatedUnion("method", [
  z.strictObject({ method: z.literal("default"), tenantId: text.exactOptional() }),
  z.strictObject({
    method: z.literal("clientSecret"),
    tenantId: text,
    clientId: text,
    clientSecret: text.exactOptional(),
    clientSecretEnv: text.exactOptional(),
    clientSecretFile: text.exactOptional(),
    authority: text.exactOptional(),
  }),
  z.strictObject({ method: z.literal("token"), ...tokenShape }),
]);

/** The type `azure-key-vault` of a configuration. */
export const azureKeyVaultProvider: ProviderDefinition = defineProvider({
  type: "azure-key-vault",
  options: z.strictObject({
    ...connectionShape,
    address: z.string(),
    scope: text.exactOptional(),
    auth: authSchema.exactOptional(),
  }),
  create: (options, context) => createAzureKeyVaultProvider({ ...options, ...context }),
});

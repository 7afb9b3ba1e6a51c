/**
 * Takes secrets from Infisical.
 *
 * @module
 */
import {
  AutokestraError,
  type CallLimits,
  type ExternalSecretProvider,
  type ProviderAnswer,
} from "@autokestra/secrets-core";
import { z } from "@autokestra/secrets-core/internal";
import { denied, type Failure, malformed, quoteLong, refuseVersion } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";
import { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
import type { HttpResponse } from "./exchange.ts";
import { createHttpClient, failureOf, type HttpClient, readJson } from "./http-call.ts";
import { createLogin, type Login, type LoginToken, sendSignedIn } from "./login.ts";
import { readToken, type TokenOptions, tokenShape } from "./token.ts";

export interface InfisicalProviderOptions
  extends Omit<ConnectionOptions, "address" | "env">,
    TokenOptions,
    Partial<ProviderContext> {
  /** Default: `https://app.infisical.com`. The cloud in the EU is `https://eu.infisical.com`. */
  readonly address?: string | undefined;
  readonly projectId: string;
  /** The slug of the environment, such as `prod`. */
  readonly environment: string;
  /** The folder that paths are relative to. Default: `/`. */
  readonly folder?: string | undefined;
  /** The client id of universal auth, with a client secret. Default: none, for an existing token. */
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  /** The name of the environment variable with the client secret. */
  readonly clientSecretEnv?: string | undefined;
  /** The path of the file with the client secret. One newline at its end is removed. */
  readonly clientSecretFile?: string | undefined;
}

/**
 * Creates a provider for one environment of a project in Infisical. A path is the name of a secret with its folders,
 * such as `apps/DB`.
 *
 * @throws AutokestraError `OPTION_INVALID`
 *
 * @example
 * ```ts
 * import { createInfisicalProvider } from "@autokestra/secrets-providers/infisical";
 *
 * const provider = createInfisicalProvider({
 *   projectId: "6f1c2d3e-0000-4000-8000-000000000000",
 *   environment: "prod",
 *   clientId: "0a1b2c3d-0000-4000-8000-000000000000",
 *   clientSecretFile: "/run/secrets/infisical",
 * });
 * ```
 */
export function createInfisicalProvider(options: InfisicalProviderOptions): ExternalSecretProvider {
  const { id = "infisical", env = process.env, onCall, clientId, projectId, environment, folder = "/" } = options;
  if (clientId !== undefined && (options.token ?? options.tokenEnv ?? options.tokenFile) !== undefined) {
    throw new AutokestraError("OPTION_INVALID", "The provider of Infisical has both a client id and a token", {
      hint: "Give it one of them.",
    });
  }
  const address = options.address ?? "https://app.infisical.com";
  const client = createHttpClient({ ...options, address, provider: id, env, onCall });
  const login = createInfisicalLogin(client, options, env);
  /** The version of the API. It becomes 4 if the server has no version 3. */
  let known: 3 | 4 = 3;

  async function read(api: 3 | 4, query: Readonly<Record<string, string>>, name: string, limits: CallLimits) {
    const project = api === 3 ? { workspaceId: projectId } : { projectId };
    const place = api === 3 ? "/api/v3/secrets/raw" : "/api/v4/secrets";
    const request = {
      call: "read",
      path: `${place}/${encodeURIComponent(name)}`,
      query: new URLSearchParams({ ...project, environment, ...query, ...WHOLE }),
    };
    return await sendSignedIn(login, client, request, limits);
  }

  return {
    id,
    type: "infisical",
    capabilities: { versions: true, leases: false },

    async lookup({ path, version }, limits) {
      const invalid = checkRequest(path, version);
      if (invalid !== null) return invalid;
      const parts = path.split("/");
      const name = parts.pop() ?? "";
      const secretPath = `/${[...folder.split("/"), ...parts].filter((part) => part !== "").join("/")}`;
      const query = { secretPath, ...(version !== undefined && { version }) };
      const version3 = known === 3 ? await read(3, query, name, limits) : null;
      if (version3 !== null && !("headers" in version3 && isUnknownRoute(version3))) return readSecret(version3);
      const version4 = await read(4, query, name, limits);
      // A server with neither version is not Infisical, or not at the moment. So that is not remembered.
      if ("headers" in version4 && !isUnknownRoute(version4)) known = 4;
      return readSecret(version4);
    },

    async check(limits) {
      const response = await login.use(limits, async () => {
        return await client.send({ call: "check", path: "/api/status" }, limits);
      });
      if (!("headers" in response)) return response;
      if (response.status !== 200) return infisicalFailure(response);
      const json = readJson(response, z.object({}));
      return "value" in json ? { status: "found", secret: {} } : json;
    },

    async close() {
      await login.close();
      await client.close();
    },
  };
}

function checkRequest(path: string, version: string | undefined): Failure | null {
  if (path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    return malformed(`${quoteLong(path)} is not a path of a secret`, "Write it like NAME, or folder/NAME.");
  }
  return refuseVersion(version);
}

/** Requests the value with its references expanded, also if it is imported from another folder. */
const WHOLE = { type: "shared", viewSecretValue: "true", expandSecretReferences: "true", include_imports: "true" };

const loginSchema = z.object({
  // Only these characters can be sent in a header.
  accessToken: z.string().regex(/^[\x21-\x7e]+$/),
  /** In seconds. 0: it does not expire. */
  expiresIn: z.number(),
});

function createInfisicalLogin(client: HttpClient, options: InfisicalProviderOptions, env: NodeJS.ProcessEnv): Login {
  return createLogin({
    logIn: async (limits) => await logIn(client, options, env, limits),
    async giveBack({ token: accessToken }, limits) {
      // A token that was configured is not ours to revoke.
      if (options.clientId === undefined) return;
      const path = "/api/v1/auth/token/revoke";
      await client.send({ call: "logout", path, json: { accessToken }, repeatable: false }, limits);
    },
  });
}

async function logIn(
  client: HttpClient,
  options: InfisicalProviderOptions,
  env: NodeJS.ProcessEnv,
  limits: CallLimits,
): Promise<LoginToken | Failure> {
  const { clientId, clientSecret, clientSecretEnv, clientSecretFile } = options;
  if (clientId === undefined) return await readToken(options, env);
  const given = await readToken({ token: clientSecret, tokenEnv: clientSecretEnv, tokenFile: clientSecretFile }, env);
  if (!("token" in given)) return given;
  const json = { clientId, clientSecret: given.token };
  const response = await client.send({ call: "login", path: "/api/v1/auth/universal-auth/login", json }, limits);
  if (!("headers" in response)) return response;
  if ([400, 401, 403, 422].includes(response.status)) {
    return denied(
      `${response.asked}: ${response.status}, the login is refused`,
      "Check client id and client secret, whether they are still valid, and from which addresses they may be used.",
    );
  }
  if (response.status !== 200) return infisicalFailure(response);
  const made = readJson(response, loginSchema);
  if (!("value" in made)) return made;
  const { accessToken, expiresIn } = made.value;
  return { token: accessToken, ...(expiresIn > 0 && { endsAt: Date.now() + expiresIn * 1000 }) };
}

const secretSchema = z.object({
  secret: z.object({
    secretValue: z.string(),
    version: z.number(),
    /** True if the answer has a mask instead of the value. */
    secretValueHidden: z.boolean().optional(),
  }),
});

function readSecret(response: HttpResponse | Failure): ProviderAnswer {
  if (!("headers" in response)) return response;
  if (response.status !== 200) return infisicalFailure(response);
  const json = readJson(response, secretSchema);
  if (!("value" in json)) return json;
  const { secretValue, version, secretValueHidden } = json.value.secret;
  if (secretValueHidden === true) {
    return denied(`${response.asked}: the value is hidden`, "Allow the identity to read values, not only names.");
  }
  return { status: "found", secret: { value: secretValue, version: String(version) } };
}

const errorSchema = z.object({ reqId: z.string(), error: z.string(), message: z.unknown() });

/** A 404 of Infisical itself has a request id. The 404 of a route that does not exist has none. */
function isUnknownRoute(response: HttpResponse): boolean {
  return response.status === 404 && !("value" in readJson(response, errorSchema));
}

const HINTS: Readonly<Record<number, string>> = {
  401: "The token is wrong, expired or revoked.",
  403: "Allow the identity to read values in this environment and folder.",
  404: "Check environment and folder too.",
};

function infisicalFailure(response: HttpResponse): Failure {
  const json = readJson(response, errorSchema);
  if (!("value" in json)) return failureOf(response, { hint: HINTS[response.status] });
  const { error: code, message } = json.value;
  // A project that does not exist says nothing about a secret.
  if (response.status === 404 && typeof message === "string" && /^project\b/i.test(message)) {
    return malformed(`${response.asked}: 404, there is no such project`, "Check projectId.");
  }
  return failureOf(response, { code, hint: HINTS[response.status] });
}

/** The type `infisical` of a configuration. */
export const infisicalProvider: ProviderDefinition = defineProvider({
  type: "infisical",
  options: z.strictObject({
    ...connectionShape,
    ...tokenShape,
    address: z.string().exactOptional(),
    projectId: z.string().min(1),
    environment: z.string().min(1),
    folder: z.string().exactOptional(),
    clientId: z.string().min(1).exactOptional(),
    clientSecret: z.string().exactOptional(),
    clientSecretEnv: z.string().exactOptional(),
    clientSecretFile: z.string().exactOptional(),
  }),
  create: (options, context) => createInfisicalProvider({ ...options, ...context }),
});

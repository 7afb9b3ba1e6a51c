/**
 * Takes secrets from Google Secret Manager.
 *
 * @module
 */
import {
  AutokestraError,
  type CallLimits,
  type ExternalSecretProvider,
  type ProviderAnswer,
} from "@autokestra/secrets-core";
import { errorCode, z } from "@autokestra/secrets-core/internal";
import type * as GoogleAuthLibrary from "google-auth-library";
import { decodeText, denied, type Failure, malformed, notFound, quoteLong, unavailable } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";
import { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
import type { HttpResponse } from "./exchange.ts";
import { createHttpClient, failureOf, type HttpClient, readJson } from "./http-call.ts";
import { untilAborted } from "./limits.ts";
import { createLogin, type LoginToken } from "./login.ts";
import { loadPeer } from "./peers.ts";
import { readToken, type TokenOptions, tokenShape } from "./token.ts";

/** How to log in. */
export type GcpAuth =
  /** As the tools of Google do, with the npm package `google-auth-library`. */
  | {
      readonly method: "default";
      /** The path of the key file of a service account. Default: that of the environment. */
      readonly keyFile?: string | undefined;
    }
  /** As the service account of the machine, with a token of its metadata server. */
  | { readonly method: "metadata" }
  /** With an existing token. */
  | ({ readonly method: "token" } & TokenOptions);

export interface GcpSecretManagerProviderOptions
  extends Omit<ConnectionOptions, "address" | "env">,
    Partial<ProviderContext> {
  /** The project. Default: `GOOGLE_CLOUD_PROJECT`. */
  readonly project?: string | undefined;
  /** The region of regional secrets, such as `europe-west3`. Default: none, for global secrets. */
  readonly location?: string | undefined;
  /** The address of the API. Default: that of Google, for the location if it is set. */
  readonly address?: string | undefined;
  /** How to log in. Default: with `google-auth-library` if it is installed, else with the metadata server. */
  readonly auth?: GcpAuth | undefined;
}

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const LIBRARY = "google-auth-library";

/**
 * Creates a provider for Google Secret Manager. A path is the name of a secret. Values are checked against their
 * checksum.
 *
 * @throws AutokestraError `OPTION_INVALID`
 *
 * @example
 * ```ts no-run
 * import { createGcpSecretManagerProvider } from "@autokestra/secrets-providers/gcp-secret-manager";
 *
 * const provider = createGcpSecretManagerProvider({ project: "my-project" });
 * const limits = { signal: AbortSignal.timeout(5000), deadline: Date.now() + 5000 };
 * const answer = await provider.lookup({ path: "db-password", format: "text" }, limits);
 * console.log(answer.status);
 * await provider.close();
 * ```
 */
export function createGcpSecretManagerProvider(options: GcpSecretManagerProviderOptions): ExternalSecretProvider {
  const { id = "gcp-secret-manager", env = process.env, onCall, location } = options;
  const project = options.project ?? (env["GOOGLE_CLOUD_PROJECT"] || undefined);
  if (project === undefined) {
    throw new AutokestraError("OPTION_INVALID", "The provider of Google Secret Manager has no project", {
      hint: "Give it one, or set GOOGLE_CLOUD_PROJECT.",
    });
  }
  const host = location === undefined ? "secretmanager" : `secretmanager.${location}.rep`;
  const { address = `https://${host}.googleapis.com` } = options;
  const client = createHttpClient({ ...options, address, provider: id, env, onCall });
  const metadata = createMetadataClient(id, env, onCall);
  const session = createSession(options, env, metadata);
  const login = createLogin({ logIn: async (limits) => await session.logIn(limits) });
  const place = ["projects", project, ...(location === undefined ? [] : ["locations", location])];

  async function get(call: string, parts: readonly string[], limits: CallLimits, query?: URLSearchParams) {
    return await login.use(limits, async (token) => {
      const path = `/v1/${parts.map(encodeURIComponent).join("/")}`;
      const headers = { authorization: `Bearer ${token}`, ...session.headers() };
      return await client.send({ call, path: call === "read" ? `${path}:access` : path, query, headers }, limits);
    });
  }

  return {
    id,
    type: "gcp-secret-manager",
    capabilities: { versions: true, leases: false },

    async lookup({ path, version = "latest" }, limits) {
      if (!/^[\w-]{1,255}$/.test(path)) {
        return malformed(`${quoteLong(path)} is not a name of a secret`, "Names have letters, digits, - and _ only.");
      }
      if (!/^[\w-]{1,63}$/.test(version)) {
        return malformed(`${quoteLong(version)} is not a version`, "Versions are numbers, latest, or an alias.");
      }
      const response = await get("read", [...place, "secrets", path, "versions", version], limits);
      return "headers" in response ? readAccessed(response) : response;
    },

    /** A missing permission still means that the login is accepted. */
    async check(limits) {
      const projectPlace = ["projects", project];
      const query = new URLSearchParams({ pageSize: "1" });
      const response = await get("check", [...projectPlace, "locations"], limits, query);
      if (!("headers" in response)) return response;
      const isKnown = response.status === 403 && readError(response).reason === "IAM_PERMISSION_DENIED";
      return response.status === 200 || isKnown ? { status: "found", secret: {} } : failureOfGoogle(response);
    },

    async close() {
      await Promise.all([client.close(), metadata.close()]);
    },
  };
}

const accessedSchema = z.object({
  name: z.string(),
  payload: z.object({ data: z.base64().optional(), dataCrc32c: z.union([z.string(), z.number()]).optional() }),
});

function readAccessed(response: HttpResponse): ProviderAnswer {
  if (response.status !== 200) return failureOfGoogle(response);
  const json = readJson(response, accessedSchema);
  if (!("value" in json)) return json;
  // The API omits an empty value.
  const { data = "", dataCrc32c } = json.value.payload;
  const bytes = Buffer.from(data, "base64");
  if (dataCrc32c !== undefined && Number(dataCrc32c) !== crc32c(bytes)) {
    return malformed(
      `${response.asked}: the value does not have the checksum that came with it`,
      "Try again: it was damaged on its way.",
    );
  }
  const value = decodeText(bytes);
  if (value === null) return malformed(`${response.asked}: the value is binary, and not UTF-8 text`);
  const version = /\/versions\/(\w+)$/.exec(json.value.name)?.[1];
  return { status: "found", secret: { value, version } };
}

/** CRC-32C (Castagnoli), which node:zlib does not have. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x82f63b78);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const errorSchema = z.object({
  error: z.object({
    status: z.string().optional(),
    message: z.string().optional(),
    details: z.array(z.object({ reason: z.string().optional() })).optional(),
  }),
});

interface GoogleError {
  readonly status?: string | undefined;
  readonly message?: string | undefined;
  readonly reason?: string | undefined;
}

function readError(response: HttpResponse): GoogleError {
  const json = readJson(response, errorSchema);
  if (!("value" in json)) return {};
  const { status, message, details = [] } = json.value.error;
  return {
    status: codeOf(status),
    message,
    reason: codeOf(details.find(({ reason }) => reason !== undefined)?.reason),
  };
}

/** Returns the status word of the API, if it is a word. */
function codeOf(text: string | undefined): string | undefined {
  return text !== undefined && /^[A-Z][A-Z_]{0,60}$/.test(text) ? text : undefined;
}

const HINTS: Readonly<Record<number, string>> = {
  401: "Check the login: the token is wrong or has run out.",
  403: "The account needs secretmanager.versions.access (the role Secret Manager Secret Accessor), or there is no such secret: Google does not tell which.",
  404: "There is no such secret or version in this project.",
};

function failureOfGoogle(response: HttpResponse): Failure {
  const { status, message = "", reason } = readError(response);
  if (response.status === 400 && status === "FAILED_PRECONDITION") {
    const state = /\b(DISABLED|DESTROYED)\b/.exec(message)?.[1]?.toLowerCase() ?? "disabled or destroyed";
    return notFound(`${response.asked}: the version is ${state}.`);
  }
  const hint =
    reason === "SERVICE_DISABLED" ? "Enable the API of Secret Manager in this project." : HINTS[response.status];
  return failureOf(response, { code: status, hint });
}

interface Session {
  logIn(limits: CallLimits): Promise<LoginToken | Failure>;
  /** Headers that are sent with the token. */
  headers(): Readonly<Record<string, string>>;
}

function createSession(
  { auth, configFolder }: GcpSecretManagerProviderOptions,
  env: NodeJS.ProcessEnv,
  metadata: HttpClient,
): Session {
  let google: GoogleAuthLibrary.GoogleAuth | null = null;
  let quotaProject: string | undefined;

  async function logInByLibrary(keyFile: string | undefined, limits: CallLimits): Promise<LoginToken | Failure> {
    const library = await loadPeer(LIBRARY, configFolder, {
      besideUs: async () => await import("google-auth-library"),
      fromFolder: (require) => require("google-auth-library") as typeof GoogleAuthLibrary,
    });
    if ("reason" in library)
      return auth === undefined ? await logInByMetadata(metadata, limits, library.hint) : library;
    const { GoogleAuth } = library;
    google ??= new GoogleAuth({ scopes: [SCOPE], ...(keyFile !== undefined && { keyFilename: keyFile }) });
    const found = await untilAborted(tokenOf(google), limits.signal, "Google: no login in time");
    if ("quotaProject" in found) quotaProject = found.quotaProject;
    // So that the next login reads the key file again.
    else google = null;
    return found;
  }

  return {
    headers: () => (quotaProject === undefined ? {} : { "x-goog-user-project": quotaProject }),
    async logIn(limits) {
      if (auth?.method === "token") return await readToken(auth, env);
      if (auth?.method === "metadata") return await logInByMetadata(metadata, limits);
      return await logInByLibrary(auth?.keyFile, limits);
    },
  };
}

type GoogleToken = LoginToken & { readonly quotaProject: string | undefined };

async function tokenOf(google: GoogleAuthLibrary.GoogleAuth): Promise<GoogleToken | Failure> {
  try {
    const account = await google.getClient();
    const { token } = await account.getAccessToken();
    if (!token) return denied("the login to Google has given no token");
    const { expiry_date: endsAt } = account.credentials;
    return { token, endsAt: endsAt ?? undefined, quotaProject: account.quotaProjectId };
  } catch (error) {
    return failureOfLibrary(error);
  }
}

/** Converts an error of the library. Uses only status and code, because the message can contain what was sent. */
function failureOfLibrary(error: unknown): Failure {
  const response: unknown = error instanceof Error ? Reflect.get(error, "response") : undefined;
  const status: unknown =
    typeof response === "object" && response !== null ? Reflect.get(response, "status") : undefined;
  const asked = "the login to Google";
  if (typeof status === "number") {
    return status >= 500 || status === 429
      ? unavailable(`${asked}: ${status}`)
      : denied(`${asked}: ${status}`, CHECK_LOGIN);
  }
  const code = errorCode(error);
  if (/^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|UND_ERR|ERR_STREAM)/.test(code))
    return unavailable(`${asked}: network error (${code})`);
  return denied("there are no credentials of Google that can be used", CHECK_LOGIN);
}

const CHECK_LOGIN = "Set GOOGLE_APPLICATION_CREDENTIALS, or configure auth with the keyFile of a service account.";

function createMetadataClient(provider: string, env: NodeJS.ProcessEnv, onCall: ProviderContext["onCall"]): HttpClient {
  const address = `http://${env["GCE_METADATA_HOST"] || "metadata.google.internal"}`;
  // The metadata server is part of this machine, and never behind a proxy.
  return createHttpClient({ address, allowHttp: true, provider, env: {}, onCall });
}

const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number() });

async function logInByMetadata(client: HttpClient, limits: CallLimits, hint?: string): Promise<LoginToken | Failure> {
  const path = "/computeMetadata/v1/instance/service-accounts/default/token";
  const response = await client.send({ call: "login", path, headers: { "metadata-flavor": "Google" } }, limits);
  if (!("headers" in response)) return hint === undefined ? response : { ...response, hint: `${NO_MACHINE} ${hint}` };
  if (response.status !== 200) return failureOf(response, { hint: "The machine needs a service account." });
  const json = readJson(response, tokenSchema);
  if (!("value" in json)) return json;
  const { access_token: token, expires_in: seconds } = json.value;
  return { token, endsAt: Date.now() + seconds * 1000 };
}

const NO_MACHINE = "Only machines of Google have this server.";

const authSchema: z.ZodType<GcpAuth> = z.discriminatedUnion("method", [
  z.strictObject({ method: z.literal("default"), keyFile: z.string().min(1).exactOptional() }),
  z.strictObject({ method: z.literal("metadata") }),
  z.strictObject({ method: z.literal("token"), ...tokenShape }),
]);

/** The type `gcp-secret-manager` of a configuration. */
export const gcpSecretManagerProvider: ProviderDefinition = defineProvider({
  type: "gcp-secret-manager",
  options: z.strictObject({
    ...connectionShape,
    project: z.string().min(1).exactOptional(),
    location: z
      .string()
      .regex(/^[a-z0-9-]+$/, "must be the name of a location")
      .exactOptional(),
    address: z.string().exactOptional(),
    auth: authSchema.exactOptional(),
  }),
  create: (options, context) => createGcpSecretManagerProvider({ ...options, ...context }),
});

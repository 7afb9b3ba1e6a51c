import { homedir } from "node:os";
import { join } from "node:path";
import type { CallLimits, ProviderStatus, SecretAnswer, SourceFailure } from "@autokestra/secrets-core";
import { parseTimestamp, z } from "@autokestra/secrets-core/internal";
import { denied, type Failure, quoteLong } from "./answers.ts";
import type { HttpResponse } from "./exchange.ts";
import { encodePath, readJson } from "./http-call.ts";
import { createLogin, type Login, type LoginToken } from "./login.ts";
import { readToken, type TokenOptions, tokenShape } from "./token.ts";
import { readDone, secondsSchema, trimSlashes, type VaultClient, vaultFailure } from "./vault-client.ts";

/** How to log in. Files and variables are read again for each login. */
export type VaultAuth =
  /** With an existing token. Default: `BAO_TOKEN`, else `VAULT_TOKEN`, else the file `~/.vault-token`. */
  | ({ readonly method: "token" } & TokenOptions)
  | {
      readonly method: "approle";
      readonly roleId: string;
      /** Default: none, for a role that does not require one. */
      readonly secretId?: string | undefined;
      /** The name of the variable with the secret id. */
      readonly secretIdEnv?: string | undefined;
      /** The path of the file with the secret id. */
      readonly secretIdFile?: string | undefined;
      /** Default: `approle`. */
      readonly mount?: string | undefined;
    }
  | {
      readonly method: "kubernetes";
      readonly role: string;
      /** The path of the file with the token. Default: that of the service account of the pod. */
      readonly jwtFile?: string | undefined;
      /** Default: `kubernetes`. */
      readonly mount?: string | undefined;
    }
  | {
      readonly method: "jwt";
      /** Default: the default role of the mount. */
      readonly role?: string | undefined;
      readonly jwt?: string | undefined;
      /** The name of the variable with the token. */
      readonly jwtEnv?: string | undefined;
      /** The path of the file with the token. */
      readonly jwtFile?: string | undefined;
      /** Default: `jwt`. */
      readonly mount?: string | undefined;
    };

const text = z.string().min(1);

/** The schema of {@link VaultAuth} in a configuration. */
export const vaultAuthSchema: z.ZodType<VaultAuth> = z.discriminatedUnion("method", [
  z.strictObject({ method: z.literal("token"), ...tokenShape }),
  z.strictObject({
    method: z.literal("approle"),
    roleId: text,
    secretId: text.exactOptional(),
    secretIdEnv: text.exactOptional(),
    secretIdFile: text.exactOptional(),
    mount: text.exactOptional(),
  }),
  z.strictObject({
    method: z.literal("kubernetes"),
    role: text,
    jwtFile: text.exactOptional(),
    mount: text.exactOptional(),
  }),
  z.strictObject({
    method: z.literal("jwt"),
    role: text.exactOptional(),
    jwt: text.exactOptional(),
    jwtEnv: text.exactOptional(),
    jwtFile: text.exactOptional(),
    mount: text.exactOptional(),
  }),
]);

export interface VaultToken extends LoginToken {
  readonly isRenewable: boolean;
  /** The accessor of the token, which identifies it without revealing it; null if the token is not ours to revoke. */
  readonly accessor: string | null;
}

export interface VaultLogin extends Login {
  /** Logs in separately, for one run. */
  logIn(limits: CallLimits): Promise<VaultToken | Failure>;
}

/**
 * Logs in to Vault. Renews a login instead of logging in again if possible, because a secret id can be valid only once.
 */
export function createVaultLogin(client: VaultClient, auth: VaultAuth, env: NodeJS.ProcessEnv): VaultLogin {
  let last: VaultToken | null = null;

  async function logIn(limits: CallLimits): Promise<VaultToken | Failure> {
    return auth.method === "token" ? await readGivenToken(auth, env) : await sendCredentials(client, auth, env, limits);
  }

  /** Returns null if the token cannot be renewed, or does not last longer afterwards. */
  async function prolong(limits: CallLimits): Promise<VaultToken | null> {
    const { endsAt, isRenewable } = last ?? {};
    if (last === null || endsAt === undefined || isRenewable !== true || Date.now() >= endsAt) return null;
    const renewed = await renewToken(client, last, undefined, limits);
    return "token" in renewed && (renewed.endsAt ?? Number.POSITIVE_INFINITY) > endsAt + 1000 ? renewed : null;
  }

  const shared = createLogin<VaultToken>({
    async logIn(limits) {
      const token = (await prolong(limits)) ?? (await logIn(limits));
      if ("token" in token) last = token;
      return token;
    },
    async giveBack({ token, accessor }, limits) {
      if (accessor !== null) await revokeToken(client, token, false, limits);
    },
    // A revoked token cannot even look up itself.
    async hasEnded(token, limits) {
      return (await client.send({ ...LOOK_UP_SELF, token }, limits)).status === 403;
    },
  });

  return {
    logIn,
    use: async (limits, call) => await shared.use(limits, call),
    close: async () => await shared.close(),
  };
}

async function readGivenToken(options: TokenOptions, env: NodeJS.ProcessEnv): Promise<VaultToken | SourceFailure> {
  const { token, tokenEnv, tokenFile } = options;
  const variable = ["BAO_TOKEN", "VAULT_TOKEN"].find((name) => env[name]);
  const usual =
    variable === undefined ? { tokenFile: join(env["HOME"] || homedir(), ".vault-token") } : { tokenEnv: variable };
  const isSilent = token === undefined && tokenEnv === undefined && tokenFile === undefined;
  const given = await readToken(isSilent ? usual : options, env);
  if ("token" in given) return { ...given, isRenewable: false, accessor: null };
  return isSilent ? { ...given, hint: "Set VAULT_TOKEN, or configure how to log in." } : given;
}

type OwnAuth = Exclude<VaultAuth, { method: "token" }>;

/** Reads the credentials of a method. */
async function credentialsOf(
  auth: OwnAuth,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly json: object } | SourceFailure> {
  if (auth.method === "approle") {
    const { roleId: role_id, secretId, secretIdEnv, secretIdFile } = auth;
    if ((secretId ?? secretIdEnv ?? secretIdFile) === undefined) return { json: { role_id } };
    const given = await readToken({ token: secretId, tokenEnv: secretIdEnv, tokenFile: secretIdFile }, env);
    return "token" in given ? { json: { role_id, secret_id: given.token } } : given;
  }
  const place: TokenOptions =
    auth.method === "kubernetes"
      ? { tokenFile: auth.jwtFile ?? "/var/run/secrets/kubernetes.io/serviceaccount/token" }
      : { token: auth.jwt, tokenEnv: auth.jwtEnv, tokenFile: auth.jwtFile };
  const given = await readToken(place, env);
  return "token" in given ? { json: { role: auth.role, jwt: given.token } } : given;
}

const HINTS: Readonly<Record<OwnAuth["method"], string>> = {
  approle: "Check the mount, the role id, and the secret id, which may have run out or be used up.",
  kubernetes: "Check the mount, the role, and which service accounts it takes.",
  jwt: "Check the mount, the role, and what it demands of the token: its issuer, audience and subject.",
};

async function sendCredentials(
  client: VaultClient,
  auth: OwnAuth,
  env: NodeJS.ProcessEnv,
  limits: CallLimits,
): Promise<VaultToken | Failure> {
  const credentials = await credentialsOf(auth, env);
  if (!("json" in credentials)) return credentials;
  const sentAt = Date.now();
  const path = `auth/${encodePath(trimSlashes(auth.mount ?? auth.method))}/login`;
  const response = await client.send({ call: "login", path, json: credentials.json }, limits);
  if (!("headers" in response)) return response;
  const { status, asked } = response;
  // Vault answers 400 for a wrong role or secret id, and 403 for a mount that does not exist.
  if (status === 400 || status === 401 || status === 403) return denied(`${asked}: ${status}`, HINTS[auth.method]);
  return status === 200 ? readLogin(response, sentAt) : vaultFailure(response, "nothing");
}

const loginSchema = z.object({
  auth: z.object({
    client_token: z.string().regex(/^[\x21-\x7e]+$/),
    accessor: z.string(),
    lease_duration: secondsSchema,
    renewable: z.boolean(),
  }),
});

function readLogin(response: HttpResponse, sentAt: number): VaultToken | Failure {
  const json = readJson(response, loginSchema);
  if (!("value" in json)) return json;
  const { client_token: token, accessor, lease_duration: seconds, renewable } = json.value.auth;
  return {
    token,
    // A duration of 0 means that the token does not expire.
    endsAt: seconds === 0 ? undefined : sentAt + seconds * 1000,
    isRenewable: renewable,
    // A batch token has no accessor, and cannot be revoked.
    accessor: accessor === "" ? null : accessor,
  };
}

/** Renews a token. Returns it with its new expiry. */
export async function renewToken(
  client: VaultClient,
  { token, accessor }: VaultToken,
  seconds: number | undefined,
  limits: CallLimits,
): Promise<VaultToken | Failure> {
  const sentAt = Date.now();
  const json = { increment: seconds };
  const response = await client.send({ call: "renew", path: "auth/token/renew-self", token, json }, limits);
  if (!("headers" in response)) return response;
  if (response.status !== 200) return vaultFailure(response, "update on auth/token/renew-self");
  const renewed = readLogin(response, sentAt);
  return "token" in renewed ? { ...renewed, token, accessor } : renewed;
}

/** @param repeatable whether it is tried again: for what has made credentials. A login that only reads ends by itself. */
export async function revokeToken(
  client: VaultClient,
  token: string,
  repeatable: boolean,
  limits: CallLimits,
): Promise<SecretAnswer<null>> {
  const request = { call: "revoke", path: "auth/token/revoke-self", method: "POST", token, repeatable } as const;
  const response = await client.send(request, limits);
  return "headers" in response ? readDone(response, "update on auth/token/revoke-self") : response;
}

const selfSchema = z.object({
  data: z.object({
    display_name: z.string(),
    expire_time: z.string().nullable(),
    meta: z.record(z.string(), z.unknown()).nullish(),
    renewable: z.boolean().exactOptional(),
  }),
});

export const LOOK_UP_SELF = { call: "check", path: "auth/token/lookup-self" } as const;

/** Returns the account of a token, and when it expires. */
export function readSelf(response: HttpResponse): SecretAnswer<ProviderStatus & Pick<VaultToken, "isRenewable">> {
  if (response.status !== 200) return vaultFailure(response, "read on auth/token/lookup-self");
  const json = readJson(response, selfSchema);
  if (!("value" in json)) return json;
  const { display_name: name, expire_time: end, meta, renewable: isRenewable = false } = json.value.data;
  const role = meta?.["role_name"] ?? meta?.["role"];
  const account = typeof role === "string" ? `${quoteLong(name)} (role ${quoteLong(role)})` : quoteLong(name);
  const expiresAt = (end === null ? null : parseTimestamp(end)) ?? undefined;
  return { status: "found", secret: { account, expiresAt, isRenewable } };
}

// The eleven types of providers: how each is configured here, and what a sound server answers to it.
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** @typedef {import("../../../packages/secrets-providers/dist/testing/index.js").SeenRequest} SeenRequest */
/** @typedef {import("../../../packages/secrets-providers/dist/testing/index.js").SoundAnswer} SoundAnswer */

/**
 * @typedef {object} ProviderType What speaks HTTP.
 * @property {(address: string) => object} options
 * @property {Readonly<Record<string, string>>} [env] Beside `PROVIDER_TOKEN`.
 * @property {string} [peers] The package whose optional peers it needs.
 * @property {(request: SeenRequest) => SoundAnswer | null} answer Null for what is not there.
 * @property {(request: SeenRequest) => boolean} [isLogin]
 */

/** The token of every provider, and the value that it gives: no output may have them. */
export const TOKEN = "canary-token-5b1e07";
export const REMOTE = "canary-remote-31c4";

const VALUE = JSON.stringify({ password: REMOTE });
const bearer = { tokenEnv: "PROVIDER_TOKEN" };
const base64 = (/** @type {string} */ text) => Buffer.from(text).toString("base64");
const VAULT_ID = "v".repeat(26);
const ITEM_ID = "i".repeat(26);
/** @param {SeenRequest} request */
const isKnown = ({ headers }) => headers.authorization === `Bearer ${TOKEN}`;

/** Each asks for `DB`. @type {Readonly<Record<string, ProviderType>>} */
export const PROVIDER_TYPES = {
  http: {
    options: (address) => ({ url: `${address}/v1/{name}`, pointer: "/data", ...bearer }),
    answer: (request) =>
      isKnown(request) && request.path === "/v1/DB" ? { body: { data: { password: REMOTE } } } : null,
  },
  vault: {
    options: (address) => ({ address, auth: { method: "approle", roleId: "role", secretIdEnv: "PROVIDER_TOKEN" } }),
    isLogin: ({ path }) => path.endsWith("/login"),
    answer({ path, headers, body }) {
      if (path === "/v1/auth/approle/login" && JSON.parse(body).secret_id === TOKEN) {
        return { body: { auth: { client_token: TOKEN, accessor: "a", lease_duration: 3600, renewable: false } } };
      }
      if (headers["x-vault-token"] !== TOKEN) return null;
      if (path === "/v1/auth/token/revoke-self") return { status: 204, body: "" };
      const metadata = { version: 3, deletion_time: "", destroyed: false };
      return path === "/v1/secret/data/DB" ? { body: { data: { data: { password: REMOTE }, metadata } } } : null;
    },
  },
  "aws-secrets-manager": {
    options: (endpoint) => ({ endpoint, region: "eu-central-1" }),
    env: { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: TOKEN, AWS_EC2_METADATA_DISABLED: "true" },
    peers: "packages/secrets-providers",
    answer: ({ headers, body }) =>
      headers["x-amz-target"] === "secretsmanager.GetSecretValue" && JSON.parse(body).SecretId === "DB"
        ? { body: { ARN: "arn", Name: "DB", VersionId: "1", SecretString: VALUE } }
        : null,
  },
  "gcp-secret-manager": {
    options: (address) => ({ address, project: "p", auth: { method: "token", ...bearer } }),
    answer: (request) =>
      isKnown(request) && request.path.startsWith("/v1/projects/p/secrets/DB/versions/latest:access")
        ? { body: { name: "projects/1/secrets/DB/versions/1", payload: { data: base64(VALUE) } } }
        : null,
  },
  "azure-key-vault": {
    options: (address) => ({
      address,
      auth: {
        method: "clientSecret",
        tenantId: "t",
        clientId: "c",
        clientSecretEnv: "PROVIDER_TOKEN",
        authority: address,
      },
    }),
    isLogin: ({ path }) => path.endsWith("/token"),
    answer(request) {
      if (request.path === "/t/oauth2/v2.0/token" && new URLSearchParams(request.body).get("client_secret") === TOKEN) {
        return { body: { token_type: "Bearer", expires_in: 3599, access_token: TOKEN } };
      }
      const isRead = isKnown(request) && request.path.startsWith("/secrets/DB?");
      return isRead ? { body: { value: VALUE, id: "https://v/secrets/DB/1", attributes: { enabled: true } } } : null;
    },
  },
  "onepassword-connect": {
    options: (address) => ({ address, vault: VAULT_ID, ...bearer }),
    answer(request) {
      const item = { id: ITEM_ID, title: "DB", version: 1, vault: { id: VAULT_ID }, category: "LOGIN" };
      const fields = [{ id: "password", type: "CONCEALED", label: "password", value: REMOTE }];
      const items = `/v1/vaults/${VAULT_ID}/items`;
      if (!isKnown(request)) return null;
      if (request.path === `${items}/${ITEM_ID}`) return { body: { ...item, fields } };
      return request.path.startsWith(`${items}?filter=`) ? { body: [item] } : null;
    },
  },
  infisical: {
    options: (address) => ({
      address,
      projectId: "p",
      environment: "prod",
      clientId: "c",
      clientSecretEnv: "PROVIDER_TOKEN",
    }),
    isLogin: ({ path }) => path.endsWith("/login"),
    answer(request) {
      if (request.path.endsWith("/universal-auth/login") && JSON.parse(request.body).clientSecret === TOKEN) {
        return { body: { accessToken: TOKEN, expiresIn: 3600, accessTokenMaxTTL: 7200, tokenType: "Bearer" } };
      }
      if (request.path.endsWith("/token/revoke")) return { body: {} };
      const secret = { id: "1", secretKey: "DB", version: 1, type: "shared", secretValue: VALUE };
      const { pathname, searchParams } = new URL(request.path, "http://stub");
      const isRead = pathname === "/api/v3/secrets/raw/DB" && searchParams.get("secretPath") === "/";
      return isKnown(request) && isRead ? { body: { secret } } : null;
    },
  },
  doppler: {
    options: (address) => ({ address, project: "app", config: "prd", ...bearer }),
    answer: (request) =>
      isKnown(request) && request.path.startsWith("/v3/configs/config/secrets/download?")
        ? { body: { DB: VALUE } }
        : null,
  },
  kubernetes: {
    // The name of an object there has no upper case.
    options: (address) => ({ address, namespace: "apps", ...bearer }),
    answer: (request) =>
      isKnown(request) && request.path === "/api/v1/namespaces/apps/secrets/db"
        ? {
            body: {
              kind: "Secret",
              apiVersion: "v1",
              metadata: { name: "db", namespace: "apps", resourceVersion: "1" },
              data: { password: base64(REMOTE) },
            },
          }
        : null,
  },
};

/** Where a type has `DB`. @param {string} type */
export function pathOf(type) {
  return type === "kubernetes" ? "db" : "{name}";
}

/** Lets the configuration in a folder find the optional peers of a type. @param {string} folder @param {ProviderType} type */
export function linkPeers(folder, { peers }) {
  if (peers !== undefined) symlinkSync(resolve(peers, "node_modules"), join(folder, "node_modules"));
}

/**
 * @typedef {object} LocalFault What can be wrong with a folder or a program.
 * @property {"remote" | "local" | "none"} used
 * @property {(folder: string) => object} options Makes what is there.
 */

/** @param {string} folder @param {string} text */
function program(folder, text) {
  const path = join(folder, "program");
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return { command: [path, "{name}"], exitCodes: { 4: "notFound", 5: "unavailable" } };
}

/** @param {string} folder @param {(path: string) => void} make */
function mounted(folder, make) {
  mkdirSync(join(folder, "mounted"));
  make(join(folder, "mounted", "DB"));
  return { folder: join(folder, "mounted") };
}

const TOO_LARGE = 5 * 1024 * 1024;

/** @type {Readonly<Record<string, Readonly<Record<string, LocalFault>>>>} */
export const LOCAL_FAULTS = {
  directory: {
    works: { used: "remote", options: (folder) => mounted(folder, (path) => writeFileSync(path, VALUE)) },
    missing: { used: "local", options: (folder) => mounted(folder, () => undefined) },
    "a link to itself": { used: "local", options: (folder) => mounted(folder, (path) => symlinkSync(path, path)) },
    "too large": {
      used: "none",
      options: (folder) => mounted(folder, (path) => writeFileSync(path, "x".repeat(TOO_LARGE))),
    },
  },
  command: {
    works: { used: "remote", options: (folder) => program(folder, `printf '%s' '${VALUE}'`) },
    missing: { used: "local", options: (folder) => program(folder, "exit 4") },
    "no such program": { used: "local", options: (folder) => ({ command: [join(folder, "none"), "{name}"] }) },
    hanging: { used: "local", options: (folder) => program(folder, "exec sleep 60") },
    "too large": { used: "none", options: (folder) => program(folder, "exec cat /dev/zero") },
    "exit 5 for an outage": { used: "local", options: (folder) => program(folder, `echo ${TOKEN} >&2; exit 5`) },
    "exit 1": { used: "none", options: (folder) => program(folder, `echo ${TOKEN} >&2; exit 1`) },
  },
};

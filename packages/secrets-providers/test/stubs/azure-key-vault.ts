import type { SeenRequest, SoundAnswer } from "../../src/testing/index.ts";

export const TENANT = "my-tenant";
export const CLIENT_ID = "my-client";
export const CLIENT_SECRET = "canary-client-secret";
export const TOKEN = "canary-azure-token";

/** A version of a secret; the last one of the list is the newest. */
export interface StoredVersion {
  readonly value: string;
  readonly version: string;
  readonly attributes?: { readonly enabled?: boolean; readonly exp?: number; readonly nbf?: number };
}

/** An error, as Key Vault has it. */
export function azureError(status: number, code: string, inner?: string): SoundAnswer {
  return {
    status,
    body: { error: { code, message: "canary-in-a-message", ...(inner && { innererror: { code: inner } }) } },
  };
}

/** Answers as Key Vault and Entra ID do. */
export function createAzureStub(
  secrets: Readonly<Record<string, readonly StoredVersion[]>>,
): (request: SeenRequest) => SoundAnswer {
  return ({ method, path, headers, body }) => {
    const { pathname, searchParams } = new URL(path, "https://stub.vault.azure.net");
    if (pathname === `/${TENANT}/oauth2/v2.0/token` && method === "POST") {
      const form = new URLSearchParams(body);
      const isRight = form.get("client_id") === CLIENT_ID && form.get("client_secret") === CLIENT_SECRET;
      if (isRight) return { body: { token_type: "Bearer", expires_in: 3599, access_token: TOKEN } };
      return { status: 401, body: { error: "invalid_client", error_description: "canary", error_codes: [7000215] } };
    }
    if (headers.authorization !== `Bearer ${TOKEN}`) {
      const challenge = `Bearer authorization="https://login.microsoftonline.com/${TENANT}", resource="https://vault.azure.net"`;
      return {
        ...azureError(401, "Unauthorized"),
        headers: { "content-type": "application/json", "www-authenticate": challenge },
      };
    }
    if (searchParams.get("api-version") === null) return azureError(400, "BadParameter");
    if (pathname === "/secrets") return { body: { value: [], nextLink: null } };
    const [, name = "", version] = /^\/secrets\/([^/]+)(?:\/([^/]*))?$/.exec(pathname) ?? [];
    const versions = Object.hasOwn(secrets, name) ? (secrets[name] ?? []) : [];
    const found = version ? versions.find((one) => one.version === version) : versions.at(-1);
    if (found === undefined) return azureError(404, "SecretNotFound");
    const { value, attributes = {} } = found;
    if (attributes.enabled === false) return azureError(403, "Forbidden", "SecretDisabled");
    const id = `https://stub.vault.azure.net/secrets/${name}/${found.version}`;
    return {
      body: {
        value,
        id,
        attributes: { enabled: true, created: 1, updated: 1, recoveryLevel: "Recoverable", ...attributes },
      },
    };
  };
}

import { crc32c } from "../../src/gcp-secret-manager.ts";
import type { SeenRequest, SoundAnswer } from "../../src/testing/index.ts";

export const PROJECT = "my-project";
export const TOKEN = "canary-google-token";

/** Versions of a secret, from 1 on. */
export interface StoredVersion {
  readonly value: string | Buffer;
  /** Default: `ENABLED` */
  readonly state?: "DISABLED" | "DESTROYED";
}

/** An error, as the API has it in JSON. */
export function googleError(
  code: number,
  status: string,
  message = "canary-in-a-message",
  reason?: string,
): SoundAnswer {
  const type = "type.googleapis.com/google.rpc.ErrorInfo";
  const details = reason === undefined ? [] : [{ "@type": type, reason, domain: "googleapis.com" }];
  return { status: code, body: { error: { code, status, message, details } } };
}

/** Answers as Secret Manager and the metadata server do. */
export function createGcpStub(
  secrets: Readonly<Record<string, readonly StoredVersion[]>>,
): (request: SeenRequest) => SoundAnswer {
  return ({ path, headers }) => {
    const { pathname } = new URL(path, "http://stub");
    if (pathname === "/computeMetadata/v1/instance/service-accounts/default/token") {
      if (headers["metadata-flavor"] !== "Google") return { status: 403, body: "" };
      return { body: { access_token: TOKEN, expires_in: 3599, token_type: "Bearer" } };
    }
    if (headers.authorization !== `Bearer ${TOKEN}`) return googleError(401, "UNAUTHENTICATED");
    if (pathname === `/v1/projects/${PROJECT}/locations`) return { body: { locations: [] } };
    const [, secret = "", version = ""] =
      /^\/v1\/projects\/my-project\/(?:locations\/[^/]+\/)?secrets\/([^/]+)\/versions\/([^/]+):access$/.exec(
        pathname,
      ) ?? [];
    const versions = Object.hasOwn(secrets, secret) ? (secrets[secret] ?? []) : [];
    const number = version === "latest" ? versions.length : Number(version);
    const name = `projects/123/secrets/${secret}/versions/${number}`;
    const stored = versions[number - 1];
    if (stored === undefined) return googleError(404, "NOT_FOUND", `Secret Version [${name}] not found.`);
    const { value, state } = stored;
    if (state !== undefined)
      return googleError(400, "FAILED_PRECONDITION", `Secret Version [${name}] is in ${state} state.`);
    const data = Buffer.from(value);
    return { body: { name, payload: { data: data.toString("base64"), dataCrc32c: String(crc32c(data)) } } };
  };
}

import { errors } from "undici";
import { HttpFailure } from "./http-failure.ts";
import { PROXY_CUT } from "./proxy.ts";
import { RESPONSE_TOO_LARGE } from "./response.ts";

const REASONS: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "connection refused"],
  ["ECONNRESET", "connection closed by the other side"],
  ["EPIPE", "connection closed by the other side"],
  ["UND_ERR_SOCKET", "connection closed by the other side"],
  ["ENOTFOUND", "host not found"],
  ["EAI_AGAIN", "host not found for now"],
  ["EHOSTUNREACH", "host unreachable"],
  ["ENETUNREACH", "network unreachable"],
  ["ETIMEDOUT", "connection timed out"],
  [PROXY_CUT, "the proxy has not connected us"],
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "the response is not valid HTTP"],
  ["UND_ERR_HEADERS_OVERFLOW", "the headers of the response are too large"],
]);

const FAMILIES: readonly [RegExp, string][] = [
  [/^ERR_SSL_.*ALERT_.*(CERT|UNKNOWN_CA)/, "the server does not accept our certificate, or wants one"],
  [/CERT|VERIFY/, "the certificate of the server is not trusted"],
  [/^(EPROTO|ERR_SSL)/, "no TLS connection"],
];

/**
 * Describes an error in our own words. Only the code of a foreign error is used, because its message can hold a value.
 */
export function toNetworkFailure(error: unknown): HttpFailure {
  if (error instanceof HttpFailure) return error;
  // This error has no code of use, and it carries what the server sent.
  if (error instanceof errors.HTTPParserError) return networkFailure("the response is not valid HTTP");
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") return new HttpFailure("HTTP_RESPONSE", RESPONSE_TOO_LARGE);
  if (!/^[A-Z0-9_]+$/.test(code)) return networkFailure("network error");
  // The status with which a proxy refuses a tunnel is nowhere but in the message.
  const [, status] = code === "UND_ERR_ABORTED" ? (/Proxy response \((\d{3})\)/.exec(String(error)) ?? []) : [];
  if (status !== undefined) return networkFailure(`the proxy has not connected us: status ${status}`);
  const words = REASONS.get(code) ?? FAMILIES.find(([pattern]) => pattern.test(code))?.[1] ?? "network error";
  return networkFailure(`${words} (${code})`);
}

function networkFailure(reason: string): HttpFailure {
  return new HttpFailure("HTTP_NETWORK", reason);
}

import { errors } from "undici";
import { TOO_LARGE } from "./decompress.ts";
import { HttpFailure } from "./http-failure.ts";

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
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "the response is not valid HTTP"],
  ["UND_ERR_HEADERS_OVERFLOW", "the headers of the response are too large"],
]);

const FAMILIES: readonly [RegExp, string][] = [
  [/CERT|VERIFY/, "the certificate of the server is not trusted"],
  [/^(EPROTO|ERR_SSL)/, "no TLS connection"],
];

/** Puts a failure into words of ours. Of a foreign error only its code is used, which names no value. */
export function toFailure(error: unknown): HttpFailure {
  if (error instanceof HttpFailure) return error;
  // It has no code, and it carries what the server has sent.
  if (error instanceof errors.HTTPParserError) return networkFailure("the response is not valid HTTP");
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") return new HttpFailure("HTTP_RESPONSE", TOO_LARGE);
  if (!/^[A-Z0-9_]+$/.test(code)) return networkFailure("network error");
  const words = REASONS.get(code) ?? FAMILIES.find(([pattern]) => pattern.test(code))?.[1] ?? "network error";
  return networkFailure(`${words} (${code})`);
}

function networkFailure(reason: string): HttpFailure {
  return new HttpFailure("HTTP_NETWORK", reason);
}

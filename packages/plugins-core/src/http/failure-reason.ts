import { errors } from "undici";
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
  ["UND_ERR_RES_EXCEEDED_MAX_SIZE", "the response is larger than maxResponseBytes"],
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "the response is not valid HTTP"],
  ["UND_ERR_HEADERS_OVERFLOW", "the headers of the response are too large"],
]);

const FAMILIES: readonly [RegExp, string][] = [
  [/CERT|VERIFY/, "the certificate of the server is not trusted"],
  [/^(EPROTO|ERR_SSL)/, "no TLS connection"],
];

/** Why a request failed, in words of ours. Of a foreign error only its code is used, which names no value. */
export function failureReason(error: unknown): string {
  if (error instanceof HttpFailure) return error.message;
  // It has no code, and it carries what the server has sent.
  if (error instanceof errors.HTTPParserError) return "the response is not valid HTTP";
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!/^[A-Z0-9_]+$/.test(code)) return "network error";
  const words = REASONS.get(code) ?? FAMILIES.find(([pattern]) => pattern.test(code))?.[1] ?? "network error";
  return `${words} (${code})`;
}

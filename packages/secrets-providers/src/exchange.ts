import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { CallLimits, SourceFailure } from "@autokestra/secrets-core";
import { errorCode } from "@autokestra/secrets-core/internal";
import { type Dispatcher, errors } from "undici";
import { decodeText, denied, malformed, quoteLong, timedOut, unavailable } from "./answers.ts";
import { type Connections, PROXY_FAILED } from "./dispatcher.ts";
import { untilAborted } from "./limits.ts";

/** The maximum size of a decompressed response, in bytes. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;

export interface HttpRequest {
  /** The type of the call for counters, such as `read` or `login`. */
  readonly call: string;
  /** Default: `GET`, or `POST` with a body. */
  readonly method?: Dispatcher.HttpMethod | undefined;
  /** The path after the address. Encode parts that people write with `encodePath`. */
  readonly path: string;
  readonly query?: URLSearchParams | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A body that is sent as JSON. */
  readonly json?: unknown;
  /** A body that is sent unchanged. Set its content-type header yourself. */
  readonly body?: string | undefined;
  /** False for a request that must not be sent twice, such as creating credentials. Default: true. */
  readonly repeatable?: boolean | undefined;
  /** Tells whether another response than 429 and 5xx should be retried. Default: none. */
  readonly isThrottled?: ((response: HttpResponse) => boolean) | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The request as messages name it: `GET https://vault.example/v1/secret/data/db`. */
  readonly asked: string;
}

/** The outcome of one request. */
export interface Exchanged {
  readonly result: HttpResponse | SourceFailure;
  /** The HTTP status, or `timeout`, `network`, `certificate`, `invalid`, for counters. */
  readonly status: string;
}

/** Sends a request once. */
export async function exchange(request: HttpRequest, connections: Connections, limits: CallLimits): Promise<Exchanged> {
  const asked = describe(request, connections.address);
  try {
    const dispatcher = await connections.get();
    if ("reason" in dispatcher) return { result: dispatcher, status: "certificate" };
    // Because a request that waits for its connection ignores its signal.
    const outcome = await untilAborted(
      receive(request, asked, connections.address, dispatcher, limits),
      limits.signal,
      late(asked),
    );
    return "reason" in outcome ? { result: outcome, status: "timeout" } : outcome;
  } catch (error) {
    return limits.signal.aborted ? { result: timedOut(late(asked)), status: "timeout" } : toFailure(asked, error);
  }
}

async function receive(
  request: HttpRequest,
  asked: string,
  { origin, pathname }: URL,
  dispatcher: Dispatcher,
  { signal }: CallLimits,
): Promise<Exchanged> {
  const {
    json,
    query = new URLSearchParams(),
    headers = {},
    body = json === undefined ? null : JSON.stringify(json),
  } = request;
  const response = await dispatcher.request({
    origin,
    path: pathname.replace(/\/$/, "") + request.path + (query.size > 0 ? `?${query.toString()}` : ""),
    method: methodOf(request),
    headers: {
      accept: "application/json",
      "accept-encoding": "gzip",
      "user-agent": "autokestra",
      ...(json !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    body,
    signal,
  });
  const status = String(response.statusCode);
  if (REDIRECTS.has(response.statusCode)) {
    response.body.on("error", () => undefined).destroy();
    const hint =
      "Redirects are not followed, because the token would go along. Configure the address that it leads to.";
    return { result: malformed(`${asked}: redirect (${status})`, hint), status };
  }
  const bytes = await readBody(response);
  const text = bytes === null ? null : decodeText(bytes);
  if (bytes === null) return { result: malformed(`${asked}: the answer is larger than 4 MiB`), status };
  if (text === null) return { result: malformed(`${asked}: the answer is not UTF-8 text`), status };
  return { result: { status: response.statusCode, headers: response.headers, text, asked }, status };
}

const REDIRECTS: ReadonlySet<number> = new Set([300, 301, 302, 303, 307, 308]);

function methodOf({ method, json, body }: HttpRequest): Dispatcher.HttpMethod {
  return method ?? (json === undefined && body === undefined ? "GET" : "POST");
}

/** Returns `GET https://vault.example/v1/a`, without the query, which can contain secrets. */
export function describe(request: HttpRequest, address: URL): string {
  return `${methodOf(request)} ${address.origin}${quoteLong(address.pathname.replace(/\/$/, "") + request.path)}`;
}

/** Reads the body. Returns null if it is too large. */
async function readBody({ body, headers }: Dispatcher.ResponseData): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const collect = async (bytes: AsyncIterable<Uint8Array>) => {
    for await (const chunk of bytes) {
      length += chunk.length;
      if (length > MAX_RESPONSE_BYTES) throw new Error("too large");
      chunks.push(chunk);
    }
  };
  const decompress = DECOMPRESSORS.get(String(headers["content-encoding"]).toLowerCase());
  try {
    await (decompress === undefined ? pipeline(body, collect) : pipeline(body, decompress(), collect));
    return Buffer.concat(chunks);
  } catch (error) {
    // Checked by the length, because any of the streams can fail first.
    if (length > MAX_RESPONSE_BYTES) return null;
    throw error;
  }
}

const DECOMPRESSORS: ReadonlyMap<string, () => Transform> = new Map([
  ["gzip", createGunzip],
  ["x-gzip", createGunzip],
  ["deflate", createInflate],
  ["br", createBrotliDecompress],
]);

function late(asked: string): string {
  return `${asked}: no complete answer in time`;
}

const NETWORK_REASONS: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "connection refused"],
  ["ECONNRESET", "connection closed by the other side"],
  ["EPIPE", "connection closed by the other side"],
  ["UND_ERR_SOCKET", "connection closed by the other side"],
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "connection closed by the other side"],
  ["ENOTFOUND", "host not found"],
  ["EAI_AGAIN", "host not found for now"],
  ["EHOSTUNREACH", "host unreachable"],
  ["ENETUNREACH", "network unreachable"],
  ["ETIMEDOUT", "connection timed out"],
  ["UND_ERR_CONNECT_TIMEOUT", "connection timed out"],
  ["UND_ERR_ABORTED", "the proxy has not connected us"],
  [PROXY_FAILED, "the proxy has not connected us"],
]);

const CERTIFICATE =
  /^(CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH|ERROR_IN_CERT|ERR_TLS_CERT|ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA))/;

/** Converts an error. Uses only its code, because its message can quote values. */
function toFailure(asked: string, error: unknown): Exchanged {
  const code = errorCode(error);
  if (CERTIFICATE.test(code)) {
    const hint =
      "Another server may be answering. Name the authority that signed the certificate in caFile if it is not a public one.";
    return { result: denied(`${asked}: the certificate is not trusted (${code})`, hint), status: "certificate" };
  }
  if (error instanceof errors.HTTPParserError || /^(UND_ERR_HEADERS_OVERFLOW$|Z_|ERR__ERROR)/.test(code)) {
    return { result: malformed(`${asked}: the answer is not valid HTTP`, CHECK_ADDRESS), status: "invalid" };
  }
  const known = /^[A-Z0-9_]+$/.test(code) ? ` (${code})` : "";
  const reason = NETWORK_REASONS.get(code) ?? (/^(EPROTO|ERR_SSL)/.test(code) ? "no TLS connection" : "network error");
  return { result: unavailable(`${asked}: ${reason}${known}`, CHECK_ADDRESS), status: "network" };
}

export const CHECK_ADDRESS = "Check the address of the provider, and whether the server runs.";

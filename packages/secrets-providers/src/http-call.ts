import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { type CallLimits, errorCode, type SourceFailure, type z } from "@autokestra/secrets-core";
import { parseJson } from "@autokestra/secrets-core/exact-json";
import { DelegateBackoff, handleWhenResult, retry } from "cockatiel";
import { type Dispatcher, errors } from "undici";
import { decodeText, denied, type Failure, malformed, notFound, quoteLong, timedOut, unavailable } from "./answers.ts";
import { type ConnectionOptions, createConnections, PROXY_FAILED } from "./dispatcher.ts";
import { untilAborted } from "./limits.ts";

/** The largest answer that is read, decompressed. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;

const MAX_ATTEMPTS = 3;
/** The longest pause before the second attempt; twice that before the third. */
const FIRST_PAUSE_MS = 200;

/** One call to a provider, as it ended: for counters. */
export interface CallReport {
  /** The id of the provider. */
  readonly provider: string;
  /** What was asked: `read`, `login`, … */
  readonly call: string;
  /** The status of HTTP, or `timeout`, `network`, `certificate`, `invalid`. */
  readonly status: string;
  readonly milliseconds: number;
}

export interface HttpOptions extends ConnectionOptions {
  /** The id of the provider. */
  readonly provider: string;
  /** Default: nobody counts. */
  readonly onCall?: ((call: CallReport) => void) | undefined;
  /** Draws the pauses, from 0 to 1. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export interface HttpRequest {
  /** For counters: `read`, `login`, … */
  readonly call: string;
  /** Default: `GET`, or `POST` with a body. */
  readonly method?: Dispatcher.HttpMethod | undefined;
  /** From the address on. Parts that come from people go through {@link encodePath}. */
  readonly path: string;
  readonly query?: URLSearchParams | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, with a content-type header of your own. */
  readonly body?: string | undefined;
  /** False for what must not happen twice, such as making credentials. Default: true. */
  readonly repeatable?: boolean | undefined;
  /** Other responses than 429 and 5xx that another attempt can end differently. */
  readonly isThrottled?: ((response: HttpResponse) => boolean) | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** What was asked, for messages: `GET https://vault.example/v1/secret/data/db`. */
  readonly asked: string;
}

export interface HttpClient {
  /**
   * Sends a request, and again where that can help, at most three times. Every status is a response, but for redirects: they are not
   * followed, because that would carry the token elsewhere.
   */
  send(request: HttpRequest, limits: CallLimits): Promise<HttpResponse | SourceFailure>;
  close(): Promise<void>;
}

/** What became of one attempt. */
interface Attempt {
  readonly result: HttpResponse | SourceFailure;
  /** For {@link CallReport}. */
  readonly status: string;
  /** How long to wait before the next one, or null where none can help. */
  readonly pauseMs: number | null;
}

/**
 * How providers speak HTTP: within a deadline, with retries, limits and classified failures. No message holds a token, a query, or
 * anything of a body.
 *
 * @throws AutokestraError `OPTION_INVALID`
 */
export function createHttpClient(options: HttpOptions): HttpClient {
  const { provider, onCall, random = Math.random } = options;
  const connections = createConnections(options);

  async function attempt(request: HttpRequest, limits: CallLimits, attempts: number): Promise<Attempt> {
    const start = performance.now();
    const outcome = await exchange(request, limits);
    onCall?.({ provider, call: request.call, status: outcome.status, milliseconds: performance.now() - start });
    const { result } = outcome;
    if (!canHelp(request, outcome)) return { ...outcome, pauseMs: null };
    const jitter = random() * FIRST_PAUSE_MS * 2 ** attempts;
    const pauseMs = Math.max(jitter, "headers" in result ? retryAfterMs(result) : 0);
    return { ...outcome, pauseMs: Date.now() + pauseMs < limits.deadline ? pauseMs : null };
  }

  async function exchange(request: HttpRequest, limits: CallLimits): Promise<Omit<Attempt, "pauseMs">> {
    const asked = describe(request, connections.address);
    try {
      const dispatcher = await connections.get();
      if ("reason" in dispatcher) return { result: dispatcher, status: "certificate" };
      // A request that waits for its connection does not mind its signal.
      const outcome = await untilAborted(receive(request, asked, dispatcher, limits), limits.signal, late(asked));
      return "reason" in outcome ? { result: outcome, status: "timeout" } : outcome;
    } catch (error) {
      return limits.signal.aborted ? { result: timedOut(late(asked)), status: "timeout" } : toFailure(asked, error);
    }
  }

  async function receive(
    request: HttpRequest,
    asked: string,
    dispatcher: Dispatcher,
    { signal }: CallLimits,
  ): Promise<Omit<Attempt, "pauseMs">> {
    const {
      json,
      query = new URLSearchParams(),
      headers = {},
      body = json === undefined ? null : JSON.stringify(json),
    } = request;
    const { origin, pathname } = connections.address;
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

  return {
    async send(request, limits) {
      if (!isPlainPath(request.path)) {
        return malformed(`${describe(request, connections.address)}: a part of the path is '.' or '..'`);
      }
      // How long to wait was found with the attempt: it also decides whether there is time for another one.
      const pause = (outcome: unknown) => (outcome as Attempt).pauseMs;
      const policy = retry(
        handleWhenResult((outcome) => pause(outcome) !== null),
        {
          maxAttempts: MAX_ATTEMPTS - 1,
          backoff: new DelegateBackoff(({ result }) => ("value" in result ? (pause(result.value) ?? 0) : 0)),
        },
      ).dangerouslyUnref();
      const once = async (retries: number) => await attempt(request, limits, retries);
      return (await policy.execute(async ({ attempt: retries }) => await once(retries), limits.signal)).result;
    },
    close: async () => await connections.close(),
  };
}

const REDIRECTS: ReadonlySet<number> = new Set([300, 301, 302, 303, 307, 308]);

/**
 * A path whose parts are kept apart by slashes, each part encoded: what a person writes there cannot reach another resource.
 * Parts that are `.` or `..` are refused when it is sent.
 */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function isPlainPath(path: string): boolean {
  return !path.split("/").some((part) => /^(\.|%2e){1,2}$/i.test(part));
}

function methodOf({ method, json, body }: HttpRequest): Dispatcher.HttpMethod {
  return method ?? (json === undefined && body === undefined ? "GET" : "POST");
}

function describe(request: HttpRequest, address: URL): string {
  return `${methodOf(request)} ${address.origin}${quoteLong(address.pathname.replace(/\/$/, "") + request.path)}`;
}

/** The body, or null where it is too large. */
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
  const decompress = DECOMPRESSORS[String(headers["content-encoding"] ?? "identity").toLowerCase()];
  try {
    await (decompress === undefined ? pipeline(body, collect) : pipeline(body, decompress(), collect));
    return Buffer.concat(chunks);
  } catch (error) {
    // Which of the streams fails first is not known.
    if (length > MAX_RESPONSE_BYTES) return null;
    throw error;
  }
}

const DECOMPRESSORS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

function canHelp(
  { repeatable = true, isThrottled }: HttpRequest,
  { result, status }: Omit<Attempt, "pauseMs">,
): boolean {
  if ("headers" in result) return isThrottled?.(result) === true || isRetryable(result.status, repeatable);
  return repeatable && status === "network";
}

/** 429 says that nothing was done. */
function isRetryable(status: number, repeatable: boolean): boolean {
  return status === 429 || (repeatable && status >= 500 && status !== 501 && status !== 505);
}

/** How long the server asks to wait: seconds, or a date. */
function retryAfterMs({ headers }: HttpResponse): number {
  const value = String(headers["retry-after"] ?? "");
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? 0 : ms;
}

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

/** Puts an error into words of ours. Of a foreign error only its code is used, which quotes nothing. */
function toFailure(asked: string, error: unknown): Omit<Attempt, "pauseMs"> {
  const code = errorCode(error);
  if (CERTIFICATE.test(code)) {
    const hint =
      "Somebody else may be answering. Name the authority that signed the certificate in caFile if it is not a public one.";
    return { result: denied(`${asked}: the certificate is not trusted (${code})`, hint), status: "certificate" };
  }
  if (
    error instanceof errors.HTTPParserError ||
    code === "UND_ERR_HEADERS_OVERFLOW" ||
    code.startsWith("Z_") ||
    code.startsWith("ERR__ERROR_FORMAT")
  ) {
    return { result: malformed(`${asked}: the answer is not valid HTTP`, CHECK_ADDRESS), status: "invalid" };
  }
  const known = /^[A-Z0-9_]+$/.test(code) ? ` (${code})` : "";
  const reason = NETWORK_REASONS.get(code) ?? (/^(EPROTO|ERR_SSL)/.test(code) ? "no TLS connection" : "network error");
  return { result: unavailable(`${asked}: ${reason}${known}`, CHECK_ADDRESS), status: "network" };
}

const CHECK_ADDRESS = "Check the address of the provider, and whether the server runs.";

/** What a response that is not the wanted one means, by its status. */
export function failureOf(
  { status, asked }: HttpResponse,
  /** `code`: what the API itself calls it. `hint`: what to do about it, as one sentence. */
  { code, hint }: { readonly code?: string | undefined; readonly hint?: string | undefined } = {},
): Failure {
  const reason = `${asked}: ${status}${code === undefined ? "" : ` ${quoteLong(code)}`}`;
  if (status === 404 || status === 410) return notFound(`${reason}.${hint === undefined ? "" : ` ${hint}`}`);
  if (status === 401 || status === 403 || status === 407) return denied(reason, hint);
  const isOutage = status >= 500 || [408, 412, 425, 429, 472, 473].includes(status);
  return isOutage ? unavailable(reason, hint) : malformed(reason, hint);
}

/**
 * The JSON of a response, in the shape that the API promises. A number that would lose digits is a `LosslessNumber`; `toSecret`
 * makes a text of it.
 */
export function readJson<Value>(
  { text, asked }: HttpResponse,
  schema: z.ZodType<Value>,
): { readonly value: Value } | SourceFailure {
  const json = parseJson(text);
  if ("problem" in json) return malformed(`${asked}: the answer ${json.problem}`, CHECK_ADDRESS);
  const result = schema.safeParse(json.value);
  if (result.success) return { value: result.data };
  // Only where: a message of the schema can quote what is there.
  const places = result.error.issues.map(({ path }) => path.join(".") || "its top").join(", ");
  return malformed(`${asked}: the answer does not have the promised shape (${quoteLong(places)})`, CHECK_ADDRESS);
}

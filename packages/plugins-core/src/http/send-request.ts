import { setMaxListeners } from "node:events";
import { TaskError } from "@autokestra/plugin-sdk";
import { Agent, type Dispatcher, errors, request as send } from "undici";
import { createStatusFailure, describeRequest, failsTask, HttpFailure, type HttpFailureCode } from "./http-failure.ts";
import type { HttpRequest } from "./http-request.ts";
import { nextHop } from "./next-hop.ts";
import type { Hop } from "./request-url.ts";
import { type HttpResponse, readResponse, TOO_LARGE } from "./response.ts";

const MAX_REDIRECTS = 10;

/** How much of the body of a redirect is read, in bytes; the connection of a longer one is closed instead. */
const REDIRECT_BODY_BYTES = 16 * 1024;

/** Headers that the workflow can replace. */
const DEFAULT_HEADERS = { accept: "*/*", "accept-encoding": "gzip, br", "user-agent": "autokestra" };

/** Codes that a retry can help. HTTP_RESPONSE is none of them: the server has already carried out that request. */
const RETRYABLE: ReadonlySet<HttpFailureCode> = new Set(["HTTP_NETWORK", "HTTP_TIMEOUT"]);

/**
 * What the server answered, and why that fails the task, if it does. A failed response has its text as body, or null.
 */
interface Answer {
  readonly response: HttpResponse;
  readonly failure: TaskError | null;
}

/** How far a request got, for the message of a failure. */
interface Progress {
  hop: Hop;
  status: number | undefined;
}

/**
 * Sends a request and follows its redirects. Every call opens its own connections and closes them: none keeps the
 * process alive, and no request fails because the server has closed an idle connection.
 *
 * @param cancelled aborts the request
 * @throws TaskError with an `HttpFailureCode`
 */
export async function sendRequest(request: HttpRequest, cancelled: AbortSignal): Promise<Answer> {
  const start = performance.now();
  const deadline = openDeadline(request.timeoutSeconds, cancelled);
  const agent = openAgent(request, deadline.signal);
  const progress: Progress = { hop: request.first, status: undefined };
  try {
    const data = await followRedirects(request, progress, agent);
    const read = await readResponse(data, request);
    cancelled.throwIfAborted();
    const { href: url } = progress.hop.url;
    const response = { ...read, url, durationMs: Math.round(performance.now() - start) };
    const failed = failsTask(response.status, request);
    return { response, failure: failed ? createStatusFailure(request.first, progress.hop, data, read.body) : null };
  } catch (error) {
    throw describeFailure(request, progress, toFailure(deadline.signal.aborted ? deadline.signal.reason : error));
  } finally {
    deadline.close();
    await agent.destroy();
  }
}

/**
 * The signal is given to the sockets, because that of a request does not reach a connection that is still being opened.
 */
function openAgent(request: HttpRequest, signal: AbortSignal): Agent {
  return new Agent({
    connect: { signal, timeout: 0 },
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: request.maxResponseBytes,
  });
}

async function followRedirects(
  request: HttpRequest,
  progress: Progress,
  agent: Agent,
): Promise<Dispatcher.ResponseData> {
  for (let redirects = 0; ; redirects++) {
    const response = await exchange(progress.hop, agent);
    progress.status = response.statusCode;
    const next = nextHop(progress.hop, progress.status, response.headers["location"], request.followRedirects);
    if (next === null) return response;
    if (redirects === MAX_REDIRECTS) throw new HttpFailure("HTTP_REDIRECT", `more than ${MAX_REDIRECTS} redirects`);
    await response.body.dump({ limit: REDIRECT_BODY_BYTES });
    progress.hop = next;
    progress.status = undefined;
  }
}

async function exchange(hop: Hop, dispatcher: Agent): Promise<Dispatcher.ResponseData> {
  const { url, method, body = null } = hop;
  return await send(url, { dispatcher, method, headers: { ...DEFAULT_HEADERS, ...hop.headers }, body });
}

function describeFailure({ first }: HttpRequest, { hop, status }: Progress, failure: HttpFailure): TaskError {
  const { code, message } = failure;
  const after = status === undefined ? "" : ` after status ${status}`;
  return new TaskError({
    code,
    message: `${describeRequest(first, hop)} failed${after}: ${message}`,
    retryable: RETRYABLE.has(code),
    ...(code === "HTTP_REDIRECT" || code === "HTTP_RESPONSE" ? { status } : {}),
  });
}

/** Ends a request when it times out or the run is cancelled. Must be closed. */
interface Deadline {
  /** Its reason is the HttpFailure to report. */
  readonly signal: AbortSignal;
  close(): void;
}

// Not AbortSignal.timeout: its timer cannot be cleared when the request is done.
function openDeadline(seconds: number, cancelled: AbortSignal): Deadline {
  const controller = new AbortController();
  // Every redirect may open another socket that listens, and more than ten would make Node warn of a leak.
  setMaxListeners(0, controller.signal);
  const cancel = () => controller.abort(new HttpFailure("HTTP_CANCELLED", "cancelled"));
  const expire = () => controller.abort(new HttpFailure("HTTP_TIMEOUT", `no complete response within ${seconds} s`));
  const timer = setTimeout(expire, seconds * 1000);
  cancelled.addEventListener("abort", cancel, { once: true });
  if (cancelled.aborted) cancel();
  return {
    signal: controller.signal,
    close() {
      clearTimeout(timer);
      cancelled.removeEventListener("abort", cancel);
    },
  };
}

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

/**
 * Describes an error in our own words. Only the code of a foreign error is used, because its message can hold a value.
 */
function toFailure(error: unknown): HttpFailure {
  if (error instanceof HttpFailure) return error;
  // This error has no code of use, and it carries what the server sent.
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

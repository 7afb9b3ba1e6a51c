import { TaskError } from "@autokestra/plugin-sdk";
import { Agent, type Dispatcher, request as send } from "undici";
import { openDeadline } from "./deadline.ts";
import type { Hop } from "./hop.ts";
import { HttpFailure, type HttpFailureCode } from "./http-failure.ts";
import type { HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { nextHop } from "./next-hop.ts";
import { readResponse } from "./read-response.ts";
import { createStatusFailure, describeRequest, failsTask } from "./status-failure.ts";
import { toFailure } from "./to-failure.ts";

const MAX_REDIRECTS = 10;

/** How much of the body of a redirect is read before its connection is given up instead. */
const REDIRECT_BODY_BYTES = 16 * 1024;

/** Sent unless the workflow gives others. */
const DEFAULT_HEADERS = { accept: "*/*", "accept-encoding": "gzip, br", "user-agent": "autokestra" };

/** Another attempt can end differently. A response that cannot be used comes from a request that has been carried out. */
const RETRYABLE: ReadonlySet<HttpFailureCode> = new Set(["HTTP_NETWORK", "HTTP_TIMEOUT"]);

/** What the server has answered, and why that fails the task, if it does. The body of a failed response is its text, or null. */
export interface Answer {
  readonly response: HttpResponse;
  readonly failure: TaskError | null;
}

/** How far a request has come: what a message of its failure tells. */
interface Progress {
  hop: Hop;
  status: number | undefined;
}

/**
 * Sends the request and follows its redirects. Its connections are its own and end with it: none holds the process open, and
 * no request is lost on one that the server has closed in the meantime.
 *
 * @param cancelled makes it fail at once when aborted
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

/** The deadline is the sockets': the signal of a single request does not reach a connection that is not open yet. */
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

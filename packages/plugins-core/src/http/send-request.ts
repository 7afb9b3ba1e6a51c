import { Agent, type Dispatcher, request as send } from "undici";
import { openDeadline } from "./deadline.ts";
import { failureReason } from "./failure-reason.ts";
import type { Hop } from "./hop.ts";
import { HttpFailure } from "./http-failure.ts";
import type { HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { nextHop } from "./next-hop.ts";
import { readResponse } from "./read-response.ts";

const MAX_REDIRECTS = 10;

/** How much of the body of a redirect is read before its connection is given up instead. */
const REDIRECT_BODY_BYTES = 16 * 1024;

/** Sent unless the workflow gives others. */
const DEFAULT_HEADERS = { accept: "*/*", "accept-encoding": "gzip, br", "user-agent": "autokestra" };

/**
 * Sends the request and follows its redirects. Its connections are its own and end with it: none holds the process open, and
 * no request is lost on one that the server has closed in the meantime.
 *
 * @param cancelled makes it fail at once when aborted
 * @throws HttpFailure
 */
export async function sendRequest(request: HttpRequest, cancelled: AbortSignal): Promise<HttpResponse> {
  const start = performance.now();
  const deadline = openDeadline(request.timeoutSeconds, cancelled);
  const { signal } = deadline;
  const agent = openAgent(request, signal);
  let hop = request.first;
  let status: number | undefined;
  try {
    for (let redirects = 0; ; redirects++) {
      const response = await exchange(hop, agent);
      status = response.statusCode;
      const next = nextHop(hop, status, response.headers["location"], request.followRedirects);
      if (next === null) {
        const result = await readResponse(response, request);
        return { ...result, url: hop.url.href, durationMs: Math.round(performance.now() - start) };
      }
      if (redirects === MAX_REDIRECTS) throw new HttpFailure(`more than ${MAX_REDIRECTS} redirects`);
      await response.body.dump({ limit: REDIRECT_BODY_BYTES });
      hop = next;
      status = undefined;
    }
  } catch (error) {
    const reason = failureReason(signal.aborted ? signal.reason : error);
    throw new HttpFailure(`${describeRequest(request.first, hop, status)}: ${reason}`);
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

async function exchange(hop: Hop, dispatcher: Agent): Promise<Dispatcher.ResponseData> {
  const { url, method, body = null } = hop;
  return await send(url, { dispatcher, method, headers: { ...DEFAULT_HEADERS, ...hop.headers }, body });
}

/** `POST https://host failed`: path and query can hold a piece of a key, in a spelling that no masker knows. */
function describeRequest(first: Hop, last: Hop, status: number | undefined): string {
  const elsewhere = last.url.origin === first.url.origin ? "" : `, redirected to ${last.url.origin},`;
  const after = status === undefined ? "" : ` after status ${status}`;
  return `${first.method} ${first.url.origin}${elsewhere} failed${after}`;
}

import { type ActionContext, TaskError } from "@autokestra/plugin-sdk";
import { type Dispatcher, FormData } from "undici";
import { openConnection } from "./connection.ts";
import { CookieJar } from "./cookies.ts";
import { type Deadline, openDeadline } from "./deadline.ts";
import { createStatusFailure, describeRequest, failsTask, HttpFailure, type HttpFailureCode } from "./http-failure.ts";
import type { HttpRequest } from "./http-request.ts";
import { toNetworkFailure } from "./network-failure.ts";
import type { NetworkGuard } from "./network-guard.ts";
import { nextHop } from "./next-hop.ts";
import { nextPage } from "./pagination.ts";
import { findProxy } from "./proxy.ts";
import type { FormFields, Hop } from "./request-url.ts";
import { type HttpResponse, readResponse } from "./response.ts";
import { type Credential, findCookies, findTokens } from "./response-credentials.ts";

const MAX_REDIRECTS = 10;

/** How much of the body of a redirect is read, in bytes; the connection of a longer one is closed instead. */
const REDIRECT_BODY_BYTES = 16 * 1024;

/** Headers that the workflow can replace. */
const DEFAULT_HEADERS = { accept: "*/*", "accept-encoding": "gzip, br", "user-agent": "autokestra" };

/** Codes that a retry can help. HTTP_RESPONSE is not one of them: the server has already carried out that request. */
const RETRYABLE: ReadonlySet<HttpFailureCode> = new Set(["HTTP_NETWORK", "HTTP_TIMEOUT"]);

/** Codes of what is wrong with a response, whose status they have. */
const ABOUT_RESPONSES: ReadonlySet<HttpFailureCode> = new Set(["HTTP_REDIRECT", "HTTP_RESPONSE", "HTTP_PAGINATION"]);

/** How far a request got, for the message of a failure. */
interface Progress {
  hop: Hop;
  /** The number of the page, from 1. */
  page: number;
  status: number | undefined;
}

/**
 * Sends a request, follows its redirects and reads its pages. Every call opens its own connections and closes them: none
 * keeps the process alive, and no request fails because the server has closed an idle connection.
 *
 * @throws TaskError with an `HttpFailureCode`
 */
export async function sendRequest(
  request: HttpRequest,
  context: ActionContext,
  guard: NetworkGuard,
): Promise<HttpResponse> {
  const start = performance.now();
  const deadline = openDeadline(request.timeoutSeconds, context.signal);
  const session = new Session(request, context, guard, deadline.signal);
  const progress: Progress = { hop: request.first, page: 1, status: undefined };
  try {
    const read = await readPages(request, context, session, progress, deadline);
    return { ...read, url: progress.hop.url.href, durationMs: Math.round(performance.now() - start) };
  } catch (error) {
    if (error instanceof TaskError) throw error;
    throw describeFailure(
      request,
      progress,
      toNetworkFailure(deadline.signal.aborted ? deadline.signal.reason : error),
    );
  } finally {
    deadline.close();
    await session.close();
  }
}

/** The connection to one origin, with the cookies of that origin. */
class Session {
  readonly #request: HttpRequest;
  readonly #context: ActionContext;
  readonly #guard: NetworkGuard;
  readonly #signal: AbortSignal;
  #origin: string | null = null;
  #connection: Dispatcher | null = null;
  #cookies = new CookieJar();

  constructor(request: HttpRequest, context: ActionContext, guard: NetworkGuard, signal: AbortSignal) {
    this.#request = request;
    this.#context = context;
    this.#guard = guard;
    this.#signal = signal;
  }

  async send(hop: Hop): Promise<Dispatcher.ResponseData> {
    const { url, method, headers, body } = hop;
    const connection = await this.#connect(hop);
    const cookie = this.#cookies.header(url, headers["cookie"]);
    const response = await connection.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: { ...DEFAULT_HEADERS, ...headers, ...(cookie !== undefined && { cookie }) },
      body: typeof body === "object" ? formDataOf(body) : (body ?? null),
    });
    const cookies = [response.headers["set-cookie"] ?? []].flat();
    maskCredentials(findCookies(cookies), this.#context);
    this.#cookies.keep(cookies, url);
    return response;
  }

  /** Another origin gets another connection, without client certificate if the hop has none, and no cookie. */
  async #connect(hop: Hop): Promise<Dispatcher> {
    const { proxy: from, maxResponseBytes } = this.#request;
    const guard = this.#guard;
    const proxy = from === "off" ? null : findProxy(hop.url, process.env);
    guard.check(hop, proxy !== null);
    if (this.#connection !== null && this.#origin === hop.url.origin) return this.#connection;
    await this.close();
    for (const secret of proxy?.secrets ?? []) this.#context.mask(secret, proxy?.variable);
    this.#origin = hop.url.origin;
    this.#cookies = new CookieJar();
    this.#connection = openConnection(hop, { signal: this.#signal, maxResponseBytes, guard, proxy });
    return this.#connection;
  }

  async close(): Promise<void> {
    await this.#connection?.destroy();
    this.#connection = null;
  }
}

/** Returns the last page. One whose status fails the task becomes a TaskError. */
async function readPages(
  request: HttpRequest,
  context: ActionContext,
  session: Session,
  progress: Progress,
  deadline: Deadline,
): Promise<Omit<HttpResponse, "url" | "durationMs">> {
  const { first, paginate } = request;
  const urls = new Set<string>();
  const pages: unknown[] = [];
  for (let maxBytes = request.maxResponseBytes; ; ) {
    urls.add(progress.hop.url.href);
    const data = await followRedirects(request, progress, session);
    urls.add(progress.hop.url.href);
    const { size, ...page } = await readResponse(data, { ...request, maxBytes });
    context.signal.throwIfAborted();
    maskCredentials(findTokens(page.body), context);
    if (failsTask(page.status, request)) {
      throw createStatusFailure(describeRequest(first, progress.hop, progress.page), first, data, page.body);
    }
    if (paginate === undefined) return page;
    pages.push(page.body);
    const next = nextPage(progress.hop, paginate.next, page, urls);
    if (next === null) return { ...page, pages };
    if (pages.length === paginate.maxPages) {
      context.log.warn(`stopped after ${pages.length} pages, as maxPages says, and there are more`);
      return { ...page, pages };
    }
    maxBytes -= size;
    Object.assign(progress, { hop: next, page: progress.page + 1, status: undefined });
    deadline.restart();
  }
}

function maskCredentials(credentials: readonly Credential[], { mask, task }: ActionContext): void {
  for (const { path, value } of credentials) mask(value, `tasks.${task.id}.output.${path}`);
}

async function followRedirects(
  request: HttpRequest,
  progress: Progress,
  session: Session,
): Promise<Dispatcher.ResponseData> {
  for (let redirects = 0; ; redirects++) {
    const response = await session.send(progress.hop);
    progress.status = response.statusCode;
    const next = nextHop(progress.hop, progress.status, response.headers["location"], request.followRedirects);
    if (next === null) return response;
    if (redirects === MAX_REDIRECTS) throw new HttpFailure("HTTP_REDIRECT", `more than ${MAX_REDIRECTS} redirects`);
    await response.body.dump({ limit: REDIRECT_BODY_BYTES });
    progress.hop = next;
    progress.status = undefined;
  }
}

function describeFailure({ first }: HttpRequest, { hop, page, status }: Progress, failure: HttpFailure): TaskError {
  const { code, message } = failure;
  const after = status === undefined ? "" : ` after status ${status}`;
  return new TaskError({
    code,
    message: `${describeRequest(first, hop, page)} failed${after}: ${message}`,
    retryable: RETRYABLE.has(code),
    ...(ABOUT_RESPONSES.has(code) ? { status } : {}),
  });
}

function formDataOf(fields: FormFields): FormData {
  const data = new FormData();
  for (const [name, value] of fields) data.append(name, value);
  return data;
}

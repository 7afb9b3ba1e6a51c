import { setTimeout as pause } from "node:timers/promises";
import type { CallLimits, SourceFailure } from "@autokestra/secrets-core";
import { parseJson } from "@autokestra/secrets-core/exact-json";
import type { z } from "@autokestra/secrets-core/internal";
import { denied, type Failure, malformed, notFound, quoteLong, unavailable } from "./answers.ts";
import { type ConnectionOptions, createConnections } from "./dispatcher.ts";
import { CHECK_ADDRESS, describe, type Exchanged, exchange, type HttpRequest, type HttpResponse } from "./exchange.ts";

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

export interface HttpClient {
  /**
   * Sends a request, and again where that can help, at most three times. Every status is a response, but for redirects: they are not
   * followed, because that would carry the token elsewhere.
   */
  send(request: HttpRequest, limits: CallLimits): Promise<HttpResponse | SourceFailure>;
  close(): Promise<void>;
}

/** What became of one attempt. */
interface Attempt extends Exchanged {
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
    const outcome = await exchange(request, connections, limits);
    onCall?.({ provider, call: request.call, status: outcome.status, milliseconds: performance.now() - start });
    const { result } = outcome;
    if (!canHelp(request, outcome)) return { ...outcome, pauseMs: null };
    const jitter = random() * FIRST_PAUSE_MS * 2 ** attempts;
    const pauseMs = Math.max(jitter, "headers" in result ? retryAfterMs(result) : 0);
    return { ...outcome, pauseMs: Date.now() + pauseMs < limits.deadline ? pauseMs : null };
  }

  return {
    async send(request, limits) {
      if (!isPlainPath(request.path)) {
        return malformed(`${describe(request, connections.address)}: a part of the path is '.' or '..'`);
      }
      for (let attempts = 0; ; attempts += 1) {
        const { result, pauseMs } = await attempt(request, limits, attempts);
        if (pauseMs === null || attempts === MAX_ATTEMPTS - 1) return result;
        // The timer keeps the process alive: nothing else may do that while nothing is sent.
        const isOver = await pause(pauseMs, false, { signal: limits.signal }).catch(() => true);
        if (isOver) return result;
      }
    },
    close: async () => await connections.close(),
  };
}

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

function canHelp({ repeatable = true, isThrottled }: HttpRequest, { result, status }: Exchanged): boolean {
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

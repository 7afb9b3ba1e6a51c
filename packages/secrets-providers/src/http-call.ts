import { setTimeout as pause } from "node:timers/promises";
import type { CallLimits, SourceFailure } from "@autokestra/secrets-core";
import { parseJson } from "@autokestra/secrets-core/exact-json";
import type { z } from "@autokestra/secrets-core/internal";
import { denied, type Failure, malformed, notFound, quoteLong, unavailable } from "./answers.ts";
import { type ConnectionOptions, createConnections } from "./dispatcher.ts";
import { CHECK_ADDRESS, describe, type Exchanged, exchange, type HttpRequest, type HttpResponse } from "./exchange.ts";

const MAX_ATTEMPTS = 3;
/** The longest pause before the second attempt, in milliseconds. It doubles before the third. */
const FIRST_PAUSE_MS = 200;

/** One call to a provider, for counters. */
export interface CallReport {
  /** The id of the provider. */
  readonly provider: string;
  /** The type of the call, such as `read` or `login`. */
  readonly call: string;
  /** The HTTP status, or `timeout`, `network`, `certificate`, `invalid`. */
  readonly status: string;
  readonly milliseconds: number;
}

export interface HttpOptions extends ConnectionOptions {
  /** The id of the provider. */
  readonly provider: string;
  /** Called after each attempt, for counters. Default: nothing. */
  readonly onCall?: ((call: CallReport) => void) | undefined;
  /** Returns a number from 0 to 1 for the length of a pause. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export interface HttpClient {
  /**
   * Sends a request up to three times. Returns a response for every status except redirects, which are not followed,
   * because the other server would get the token.
   */
  send(request: HttpRequest, limits: CallLimits): Promise<HttpResponse | SourceFailure>;
  close(): Promise<void>;
}

/** The outcome of one attempt. */
interface Attempt extends Exchanged {
  /** The pause before the next attempt, in milliseconds; null if another attempt is useless. */
  readonly pauseMs: number | null;
}

/**
 * Creates the HTTP client of a provider. It keeps deadlines and size limits, retries, and classifies failures. No
 * message contains a token, a query or anything of a body.
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
      // Not cockatiel's retry: a signal does not end its pause, and it makes the next attempt all the same.
      for (let attempts = 0; ; attempts += 1) {
        const { result, pauseMs } = await attempt(request, limits, attempts);
        if (pauseMs === null || attempts === MAX_ATTEMPTS - 1) return result;
        // This timer keeps the process alive: during the pause, nothing else may do so.
        const isOver = await pause(pauseMs, false, { signal: limits.signal }).catch(() => true);
        if (isOver) return result;
      }
    },
    close: async () => await connections.close(),
  };
}

/**
 * Encodes the parts of a path between its slashes, so that a path that people write cannot lead to another resource.
 * The client refuses parts that are `.` or `..`.
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

/** After 429 any request can be repeated, because nothing was done. */
function isRetryable(status: number, repeatable: boolean): boolean {
  return status === 429 || (repeatable && status >= 500 && status !== 501 && status !== 505);
}

/** Returns the time in `Retry-After`, which is a number of seconds or a date, in milliseconds. */
function retryAfterMs({ headers }: HttpResponse): number {
  const value = String(headers["retry-after"] ?? "");
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? 0 : ms;
}

/** Returns what a response other than the wanted one means, according to its status. */
export function failureOf(
  { status, asked }: HttpResponse,
  /** `code`: the error code of the API. `hint`: what to do about it, as one sentence. */
  { code, hint }: { readonly code?: string | undefined; readonly hint?: string | undefined } = {},
): Failure {
  const reason = `${asked}: ${status}${code === undefined ? "" : ` ${quoteLong(code)}`}`;
  if (status === 404 || status === 410) return notFound(`${reason}.${hint === undefined ? "" : ` ${hint}`}`);
  if (status === 401 || status === 403 || status === 407) return denied(reason, hint);
  const isOutage = status >= 500 || [408, 412, 425, 429, 472, 473].includes(status);
  return isOutage ? unavailable(reason, hint) : malformed(reason, hint);
}

/**
 * Parses the JSON of a response and checks it against a schema. A number that would lose digits becomes a
 * `LosslessNumber`, which `toSecret` converts to text.
 */
export function readJson<Value>(
  { text, asked }: HttpResponse,
  schema: z.ZodType<Value>,
): { readonly value: Value } | SourceFailure {
  const json = parseJson(text);
  if ("problem" in json) return malformed(`${asked}: the answer ${json.problem}`, CHECK_ADDRESS);
  const result = schema.safeParse(json.value);
  if (result.success) return { value: result.data };
  // Only the paths, because a message of the schema can quote values.
  const places = result.error.issues.map(({ path }) => path.join(".") || "its top").join(", ");
  return malformed(`${asked}: the answer does not have the promised shape (${quoteLong(places)})`, CHECK_ADDRESS);
}

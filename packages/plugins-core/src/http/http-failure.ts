import { STATUS_CODES } from "node:http";
import { isTransientStatus, TaskError } from "@autokestra/plugin-sdk";
import type { Dispatcher } from "undici";
import type { Hop } from "./request-url.ts";

/** The codes of failed requests; they become `tasks.ID.error.code`. */
export type HttpFailureCode =
  /** The server answered with a status of 400 or above. */
  | "HTTP_STATUS"
  /** The response is a redirect that is not followed. */
  | "HTTP_REDIRECT"
  /** The response cannot be used. */
  | "HTTP_RESPONSE"
  /** There is no complete response: no host, no connection, no TLS, a broken connection. */
  | "HTTP_NETWORK"
  | "HTTP_TIMEOUT"
  /** The request would go to a host or an address that is not allowed. */
  | "HTTP_NOT_ALLOWED"
  /** The next page cannot be read. */
  | "HTTP_PAGINATION"
  | "HTTP_CANCELLED";

/** Why a request failed. Errors of libraries are replaced by it, because they carry headers and whole URLs. */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";
  readonly code: HttpFailureCode;

  constructor(code: HttpFailureCode, reason: string) {
    super(reason);
    this.code = code;
  }
}

/** Which statuses of 400 and above are results. */
export interface StatusRules {
  readonly failOnStatus: boolean;
  readonly allowStatus: readonly number[];
}

export function failsTask(status: number, { failOnStatus, allowStatus }: StatusRules): boolean {
  return failOnStatus && status >= 400 && !allowStatus.includes(status);
}

/**
 * Describes a response whose status fails the task.
 *
 * @param request what {@link describeRequest} says
 * @param explanation the body if it is text, otherwise null
 */
export function createStatusFailure(
  request: string,
  first: Hop,
  { statusCode: status, statusText, headers }: Dispatcher.ResponseData,
  explanation: unknown,
): TaskError {
  const sent = partsOf(first);
  const reason = excerpt(statusText, sent) || STATUS_CODES[status];
  const body = typeof explanation === "string" ? excerpt(explanation, sent) : "";
  const told = [`status ${[status, reason].filter(Boolean).join(" ")}`, body].filter(Boolean).join(": ");
  return new TaskError({
    code: "HTTP_STATUS",
    message: `${request} failed: ${told}`,
    status,
    retryable: isTransientStatus(status),
    retryAfterSeconds: readRetryAfter(headers),
  });
}

/** `POST https://host`, the origin after redirects, and the number of a later page. Without path and query, which can hold a piece of a key. */
export function describeRequest(first: Hop, last: Hop, page: number): string {
  const elsewhere = last.url.origin === first.url.origin ? "" : `, redirected to ${last.origin},`;
  return `${first.method} ${first.origin}${elsewhere}${page === 1 ? "" : ` (page ${page})`}`;
}

/**
 * Reads seconds or a date (RFC 9110, 10.2.3). A date is compared with the clock of the server if it sends a Date
 * header.
 */
function readRetryAfter({ "retry-after": value, date }: Dispatcher.ResponseData["headers"]): number | undefined {
  if (typeof value !== "string") return undefined;
  if (/^\d+$/.test(value)) return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
  const now = readDate(date) ?? Date.now();
  const then = readDate(value);
  return then === undefined ? undefined : Math.max(0, Math.ceil((then - now) / 1000));
}

/** Reads the three date formats of RFC 9110, 5.6.7. The last one names no time zone and means GMT like the others. */
function readDate(value: unknown): number | undefined {
  const form = /^[A-Z][a-z]{2}(?:[a-z]*day)?,? .*\d{2}:\d{2}:\d{2}(?: \d{4}| GMT)$/;
  if (typeof value !== "string" || !form.test(value)) return undefined;
  const time = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : time;
}

/** The parts of a request that a server may send back: as sent, decoded, and as JSON writes them. */
function partsOf({ url, headers, body }: Hop): string[] {
  const fields = typeof body === "object" ? body.map(([, value]) => value) : [body];
  const texts = [url.href, ...Object.values(headers), ...fields].filter((one) => typeof one === "string");
  return texts.flatMap((text) => [text, decode(text), JSON.stringify(text).slice(1, -1)]);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

const LENGTH = 200;

/** An overlap of fewer characters is treated as chance. */
const SHORTEST_OVERLAP = 4;

/**
 * Cuts a text of the server for a message. If the cut would go through a part of the request that the server sends
 * back, that part is left out, because a masker finds whole secrets and not the first half of one. The engine hides the
 * first half of any other secret, because it stands before an ellipsis.
 *
 * @param sent the parts of the request, in every form in which a server may send them back
 */
export function excerpt(text: string, sent: readonly string[]): string {
  const trimmed = text.trim();
  const end = Array.from(trimmed.slice(0, 2 * LENGTH))
    .slice(0, LENGTH)
    .join("").length;
  if (end === trimmed.length) return trimmed;
  return `${trimmed.slice(0, Math.min(...sent.map((one) => startOfOverlap(trimmed, end, one)), end))}…`;
}

/** Finds where the longest piece of `sent` begins that the cut at `end` would divide; `end` if there is none. */
function startOfOverlap(text: string, end: number, sent: string): number {
  let start = end;
  while (start > 0 && sent.includes(text.slice(start - 1, end + 1))) start -= 1;
  let next = end;
  while (next < text.length && next - start < SHORTEST_OVERLAP && sent.includes(text.slice(start, next + 1))) next += 1;
  return start < end && next - start >= SHORTEST_OVERLAP ? start : end;
}

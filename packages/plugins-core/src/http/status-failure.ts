import { STATUS_CODES } from "node:http";
import { isTransientStatus, TaskError } from "@autokestra/plugin-sdk";
import type { Dispatcher } from "undici";
import { excerpt } from "./excerpt.ts";
import type { Hop } from "./hop.ts";

/** Which statuses of 400 and above are results. */
export interface StatusRules {
  readonly failOnStatus: boolean;
  readonly allowStatus: readonly number[];
}

export function failsTask(status: number, { failOnStatus, allowStatus }: StatusRules): boolean {
  return failOnStatus && status >= 400 && !allowStatus.includes(status);
}

/** @param explanation the body as text, or null where it is not text */
export function createStatusFailure(
  first: Hop,
  last: Hop,
  { statusCode: status, statusText, headers }: Dispatcher.ResponseData,
  explanation: unknown,
): TaskError {
  const sent = partsOf(first);
  const reason = excerpt(statusText, sent) || STATUS_CODES[status];
  const body = typeof explanation === "string" ? excerpt(explanation, sent) : "";
  const told = [`status ${[status, reason].filter(Boolean).join(" ")}`, body].filter(Boolean).join(": ");
  return new TaskError({
    code: "HTTP_STATUS",
    message: `${describeRequest(first, last)} failed: ${told}`,
    status,
    retryable: isTransientStatus(status),
    retryAfterSeconds: readRetryAfter(headers),
  });
}

/** `POST https://host`, and where redirects have led: path and query can hold a piece of a key. */
export function describeRequest(first: Hop, last: Hop): string {
  const elsewhere = last.url.origin === first.url.origin ? "" : `, redirected to ${last.origin},`;
  return `${first.method} ${first.origin}${elsewhere}`;
}

/** RFC 9110, 10.2.3: seconds, or a date, which counts from the clock of the server where it tells the time. */
function readRetryAfter({ "retry-after": value, date }: Dispatcher.ResponseData["headers"]): number | undefined {
  if (typeof value !== "string") return undefined;
  if (/^\d+$/.test(value)) return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
  const now = readDate(date) ?? Date.now();
  const then = readDate(value);
  return then === undefined ? undefined : Math.max(0, Math.ceil((then - now) / 1000));
}

/** The three forms of RFC 9110, 5.6.7. The last one names no time zone and means GMT like the others. */
function readDate(value: unknown): number | undefined {
  const form = /^[A-Z][a-z]{2}(?:[a-z]*day)?,? .*\d{2}:\d{2}:\d{2}(?: \d{4}| GMT)$/;
  if (typeof value !== "string" || !form.test(value)) return undefined;
  const time = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : time;
}

/** What the server may give back of the request: as it was sent, and as it is once it has been read or written as JSON. */
function partsOf({ url, headers, body = "" }: Hop): string[] {
  const texts = [url.href, ...Object.values(headers), body];
  return texts.flatMap((text) => [text, decode(text), JSON.stringify(text).slice(1, -1)]);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

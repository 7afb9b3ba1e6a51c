import { isTransientStatus } from "@autokestra/plugin-sdk";
import type { Retry, RetryReason } from "../workflow/workflow.ts";
import type { TaskFailure } from "./task-failure.ts";

const MAX_BACKOFF_SECONDS = 60;
/** A longer wait that a service asks for fails the task at once. */
const MAX_WAIT_SECONDS = 300;

/** How systems and HTTP clients call it that no connection came about or that it broke. */
const NETWORK_CODE =
  /^(ECONN(REFUSED|RESET|ABORTED)|E(HOST|NET)(UNREACH|DOWN)|ENOTFOUND|EAI_[A-Z]+|ETIMEDOUT|EPIPE|EADDRNOTAVAIL|UND_ERR_[A-Z_]+|([A-Z]+_)?NETWORK(_[A-Z]+)*)$/;
const TIMEOUT_CODE = /^(TIMED_OUT|[A-Z_]+_TIMEOUT)$/;

/** What comes after a failed attempt: another one in `seconds`, or the end of the task. */
export type NextAttempt = { readonly seconds: number; readonly cause: TaskFailure } | { readonly failure: TaskFailure };

/**
 * @param attempt which one has failed, from 1
 * @param secondsLeft of the run; Infinity where it has no limit
 */
export function planNextAttempt(
  retry: Retry | undefined,
  attempt: number,
  failure: TaskFailure,
  secondsLeft: number,
): NextAttempt {
  if (retry === undefined || attempt > retry.max || !mayRetry(failure, retry.on)) return { failure };
  const asked = failure.retryAfterSeconds ?? 0;
  const limit = Math.min(MAX_WAIT_SECONDS, secondsLeft);
  if (asked > limit) {
    const why = limit === MAX_WAIT_SECONDS ? `${MAX_WAIT_SECONDS} s` : "what is left of the run";
    const message = `${failure.message}; the next attempt would have to wait ${formatSeconds(asked)}, longer than ${why}`;
    return { failure: { ...failure, message } };
  }
  return { seconds: Math.max(asked, backoff(retry.backoffSeconds, attempt)), cause: failure };
}

/** `1.5 s` */
export function formatSeconds(seconds: number): string {
  return `${Math.round(seconds * 10) / 10} s`;
}

/** Doubles with each attempt. The jitter keeps tasks that have failed together from coming back together. */
function backoff(first: number, attempt: number): number {
  return Math.min(first * 2 ** (attempt - 1) * (1 + Math.random()), Math.max(first, MAX_BACKOFF_SECONDS));
}

/** A status that the author of the workflow names is tried again, whatever the action thinks of it. */
function mayRetry(failure: TaskFailure, on: readonly RetryReason[] | undefined): boolean {
  const { status, retryable } = failure;
  if (on !== undefined) return on.includes(reasonOf(failure)) && (retryable || status !== undefined);
  return retryable && (status === undefined || isTransientStatus(status));
}

function reasonOf({ status, code, name }: TaskFailure): RetryReason {
  if (status !== undefined) return status;
  if (name === "TimeoutError" || TIMEOUT_CODE.test(code)) return "timeout";
  return NETWORK_CODE.test(code) ? "network" : "error";
}

import { setMaxListeners } from "node:events";
import { setImmediate } from "node:timers/promises";
import { isTransientStatus } from "@autokestra/plugin-sdk";
import type { Retry, RetryReason } from "../workflow/workflow.ts";
import { type GuardedAttempt, inAttempt } from "./process-guard.ts";
import { describeThrown, EngineFailure, type TaskFailure } from "./task-failure.ts";

/** The limit for one attempt of a task without a limit of its own. */
const DEFAULT_TIMEOUT_SECONDS = 300;

interface AttemptOptions {
  /** Undefined for the default. */
  readonly timeoutSeconds: number | undefined;
  /** Cancels the attempt. */
  readonly cancelSignal: AbortSignal;
  /** Whether the run can be cancelled. The process then waits for that while only the default limit is running. */
  readonly isCancellable: boolean;
  /** Whether to wait for the work even after it was asked to end. */
  readonly isAwaited: boolean;
  /** Called when code of the action fails after the attempt has ended. */
  readonly onLateFailure: (failure: TaskFailure) => void;
}

/** One attempt of a task, with everything that its action leaves behind. */
export class TaskAttempt implements GuardedAttempt {
  readonly #options: AttemptOptions;
  readonly #controller = new AbortController();
  #reject: ((thrown: unknown) => void) | null = null;

  constructor(options: AttemptOptions) {
    this.#options = options;
  }

  /** Aborted when the attempt times out or is cancelled. Made when it is asked for: most actions do not. */
  get signal(): AbortSignal {
    const { signal } = this.#controller;
    setMaxListeners(0, signal);
    return signal;
  }

  /**
   * Runs the work within its time limit. Work that ignores the signal is waited for only if the options say so.
   *
   * @throws what the work throws, or what else fails in its code meanwhile
   * @throws EngineFailure `TIMED_OUT` or `CANCELLED`
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const { timeoutSeconds, cancelSignal, isCancellable, isAwaited } = this.#options;
    const cancel = () => this.#abort(new EngineFailure("CANCELLED", "cancelled"), cancelSignal.reason);
    const limit = timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
    const timer = setTimeout(() => this.#timeOut(limit), limit * 1000);
    // If nothing else can happen until then, the process guard ends the attempt at once.
    if (timeoutSeconds === undefined && !isCancellable) timer.unref();
    let working: Promise<unknown> = Promise.resolve();
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#reject = reject;
        cancelSignal.addEventListener("abort", cancel, { once: true });
        if (cancelSignal.aborted) cancel();
        working = inAttempt(this, async () => await settle(work)).then(resolve, reject);
      });
    } catch (error) {
      if (isAwaited) await working;
      throw error;
    } finally {
      this.#reject = null;
      clearTimeout(timer);
      cancelSignal.removeEventListener("abort", cancel);
    }
  }

  fail(thrown: unknown): void {
    if (this.#reject === null) this.#options.onLateFailure(describeThrown(thrown));
    else this.#reject(thrown);
  }

  #timeOut(seconds: number): void {
    const failure = new EngineFailure("TIMED_OUT", `timed out after ${seconds} s`, true);
    this.#abort(failure, new DOMException(failure.message, "TimeoutError"));
  }

  #abort(failure: EngineFailure, reason: unknown): void {
    this.#reject?.(failure);
    // Listeners of the action run within the attempt.
    inAttempt(this, () => this.#controller.abort(reason));
  }
}

/** Settles one turn after the work, so that unhandled rejections are reported before. */
async function settle<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await setImmediate();
  }
}

const MAX_BACKOFF_SECONDS = 60;
/** If a service asks for a longer wait, the task fails at once. */
const MAX_WAIT_SECONDS = 300;

/** The codes of systems and HTTP clients for missing and broken connections. */
const NETWORK_CODE =
  /^(ECONN(REFUSED|RESET|ABORTED)|E(HOST|NET)(UNREACH|DOWN)|ENOTFOUND|EAI_[A-Z]+|ETIMEDOUT|EPIPE|EADDRNOTAVAIL|UND_ERR_[A-Z_]+|([A-Z]+_)?NETWORK(_[A-Z]+)*)$/;
const TIMEOUT_CODE = /^(TIMED_OUT|[A-Z_]+_TIMEOUT)$/;

/** What follows a failed attempt: another one after `seconds`, or the end of the task. */
type NextAttempt = { readonly seconds: number; readonly cause: TaskFailure } | { readonly failure: TaskFailure };

/**
 * Decides what follows a failed attempt.
 *
 * @param attempt the number of the failed attempt, from 1
 * @param secondsLeft the time left for the run; Infinity without a limit
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

/** Doubles with each attempt. The jitter keeps tasks that failed together from retrying together. */
function backoff(first: number, attempt: number): number {
  return Math.min(first * 2 ** (attempt - 1) * (1 + Math.random()), Math.max(first, MAX_BACKOFF_SECONDS));
}

/** A status that the workflow lists is retried even if the action says otherwise. */
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

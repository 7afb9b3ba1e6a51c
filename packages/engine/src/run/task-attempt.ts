import { setMaxListeners } from "node:events";
import { setImmediate } from "node:timers/promises";
import { isTransientStatus } from "@autokestra/plugin-sdk";
import type { Retry, RetryReason } from "../workflow/workflow.ts";
import { type GuardedAttempt, inAttempt } from "./process-guard.ts";
import { describeThrown, EngineFailure, type TaskFailure } from "./task-failure.ts";

/** For one attempt of a task that names no limit. */
const DEFAULT_TIMEOUT_SECONDS = 300;

interface AttemptOptions {
  /** Undefined: the default. */
  readonly timeoutSeconds: number | undefined;
  /** Ends the attempt as cancelled. */
  readonly cancelSignal: AbortSignal;
  /** Somebody can cancel the run: the process waits for that, although only the default limit is running. */
  readonly isCancellable: boolean;
  /** Is told what fails of the action after the attempt has ended. */
  readonly onLateFailure: (failure: TaskFailure) => void;
}

/** One attempt of a task, from its start until nothing of its action is left. */
export class TaskAttempt implements GuardedAttempt {
  readonly #options: AttemptOptions;
  readonly #controller = new AbortController();
  #reject: ((thrown: unknown) => void) | null = null;

  constructor(options: AttemptOptions) {
    this.#options = options;
    setMaxListeners(0, this.#controller.signal);
  }

  /** Aborted when the attempt is out of time or cancelled. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Does the work for as long as it may take, and does not wait for work that ignores its signal.
   *
   * @throws what the work throws, what else of its code fails meanwhile, EngineFailure `TIMED_OUT` or `CANCELLED`
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const { timeoutSeconds, cancelSignal, isCancellable } = this.#options;
    const failed = new Promise<never>((_, reject) => {
      this.#reject = reject;
    });
    const cancel = () => this.#abort(new EngineFailure("CANCELLED", "cancelled"), cancelSignal.reason);
    const limit = timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
    const timer = setTimeout(() => this.#timeOut(limit), limit * 1000);
    // Where nothing can happen any more until then, the guard ends the attempt at once.
    if (timeoutSeconds === undefined && !isCancellable) timer.unref();
    cancelSignal.addEventListener("abort", cancel, { once: true });
    if (cancelSignal.aborted) cancel();
    try {
      return await Promise.race([inAttempt(this, async () => await settle(work)), failed]);
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
    // Listeners of the action run in it.
    inAttempt(this, () => this.#controller.abort(reason));
  }
}

/** A turn later than the work itself, so that rejections that nobody handles have been told. */
async function settle<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await setImmediate();
  }
}

const MAX_BACKOFF_SECONDS = 60;
/** A longer wait that a service asks for fails the task at once. */
const MAX_WAIT_SECONDS = 300;

/** How systems and HTTP clients call it that no connection came about or that it broke. */
const NETWORK_CODE =
  /^(ECONN(REFUSED|RESET|ABORTED)|E(HOST|NET)(UNREACH|DOWN)|ENOTFOUND|EAI_[A-Z]+|ETIMEDOUT|EPIPE|EADDRNOTAVAIL|UND_ERR_[A-Z_]+|([A-Z]+_)?NETWORK(_[A-Z]+)*)$/;
const TIMEOUT_CODE = /^(TIMED_OUT|[A-Z_]+_TIMEOUT)$/;

/** What comes after a failed attempt: another one in `seconds`, or the end of the task. */
type NextAttempt = { readonly seconds: number; readonly cause: TaskFailure } | { readonly failure: TaskFailure };

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

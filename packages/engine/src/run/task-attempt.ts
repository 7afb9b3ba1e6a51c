import { setMaxListeners } from "node:events";
import { setImmediate } from "node:timers/promises";
import { type GuardedAttempt, inAttempt } from "./process-guard.ts";
import { describeThrown, EngineFailure, type TaskFailure } from "./task-failure.ts";

/** For one attempt of a task that names no limit. */
const DEFAULT_TIMEOUT_SECONDS = 300;

export interface AttemptOptions {
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

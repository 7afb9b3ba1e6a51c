import type { CancelledBy, CancelReason } from "@autokestra/runs";

/** How long the tasks of `finally` may take together, in seconds. */
const FINALLY_SECONDS = 300;

/** What a {@link RunCancellation} tells besides who has cancelled the run. */
export interface RunCancellationOptions {
  /** How long the tasks of `finally` may take together, in seconds, at most 300. Default: 300. */
  readonly finallySeconds?: number | undefined;
}

/**
 * The reason to abort the signal of a run with, to record who has cancelled it. Any other reason counts as `user`.
 *
 * @example
 * ```ts
 * import { RunCancellation } from "@autokestra/engine";
 *
 * const cancel = new AbortController();
 * cancel.abort(new RunCancellation("shutdown", { finallySeconds: 20 })); // after runWorkflow(…, { signal: cancel.signal })
 * ```
 */
export class RunCancellation extends Error {
  override readonly name = "RunCancellation";
  readonly by: CancelReason;
  readonly finallySeconds: number;

  constructor(by: CancelReason, options: RunCancellationOptions = {}) {
    super(`The run was cancelled (${by})`);
    this.by = by;
    this.finallySeconds = Math.min(options.finallySeconds ?? FINALLY_SECONDS, FINALLY_SECONDS);
  }
}

/** What aborted a run; undefined if nothing did. */
export function cancelledBy({ aborted, reason }: AbortSignal): CancelledBy | undefined {
  if (!aborted) return undefined;
  if (reason instanceof RunCancellation) return reason.by;
  return reason instanceof Error && reason.name === "TimeoutError" ? "timeout" : "user";
}

/** A time limit, which begins when it is created. */
export class TimeLimit {
  readonly #stop = new AbortController();
  readonly #endsAt: number;
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * @param seconds undefined for no limit
   * @param subject what is out of time then, such as `The run`
   */
  constructor(seconds: number | undefined, subject: string) {
    this.#endsAt = performance.now() + (seconds ?? Number.POSITIVE_INFINITY) * 1000;
    if (seconds === undefined) return;
    const reason = new DOMException(`${subject} is out of time after ${seconds} s`, "TimeoutError");
    this.#timer = setTimeout(() => this.#stop.abort(reason), seconds * 1000);
  }

  /** Aborted at its end. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Infinity without a limit. */
  secondsLeft(): number {
    return (this.#endsAt - performance.now()) / 1000;
  }

  /** Ends it: the signal will not be aborted. */
  end(): void {
    clearTimeout(this.#timer);
  }
}

/** How long `finally` may take after this signal, in seconds. */
export function finallySeconds({ reason }: AbortSignal): number {
  return reason instanceof RunCancellation ? reason.finallySeconds : FINALLY_SECONDS;
}

import { setMaxListeners } from "node:events";
import { AutokestraError, type CallLimits, type SecretAnswer, type SourceFailure } from "@autokestra/secrets-core";
import { malformed, timedOut } from "./answers.ts";

/** After its time limit, a provider has this time to answer what it was waiting for, in milliseconds. */
const LAST_WORD_MS = 50;

/**
 * Runs a call with a time limit. Returns an answer when the time has passed or `outer` is aborted, even if the call
 * ignores its signal.
 *
 * @param ms the time limit in milliseconds
 * @param outer aborts the call earlier
 * @throws an AutokestraError of the call. Other errors can quote a value, so they become the answer `malformed`
 */
export async function withinLimits<Secret>(
  ms: number,
  outer: AbortSignal | undefined,
  run: (limits: CallLimits) => Promise<SecretAnswer<Secret>>,
): Promise<SecretAnswer<Secret>> {
  if (outer?.aborted === true) return timedOut("its time was used up before");
  const controller = new AbortController();
  // Each request of a call adds a listener, and Node warns from 11 on.
  setMaxListeners(0, controller.signal);
  const timers: NodeJS.Timeout[] = [];
  let end = (): void => undefined;
  const over = new Promise<SecretAnswer<Secret>>((resolve) => {
    end = () => {
      controller.abort();
      timers.push(setTimeout(() => resolve(timedOut(`no answer within ${ms / 1000} s`)), LAST_WORD_MS));
    };
  });
  timers.push(setTimeout(end, ms));
  outer?.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([run({ signal: controller.signal, deadline: Date.now() + ms }), over]);
  } catch (error) {
    if (error instanceof AutokestraError) throw error;
    return malformed("the provider failed in an unexpected way");
  } finally {
    outer?.removeEventListener("abort", end);
    for (const timer of timers) clearTimeout(timer);
  }
}

/**
 * Waits for a promise until a signal is aborted.
 *
 * @param reason the reason of the answer if it is aborted
 */
export async function untilAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
  reason: string,
): Promise<Result | SourceFailure> {
  let give = (): void => undefined;
  const over = new Promise<SourceFailure>((resolve) => {
    give = () => resolve(timedOut(reason));
    signal.addEventListener("abort", give, { once: true });
    if (signal.aborted) give();
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    signal.removeEventListener("abort", give);
  }
}

import { setMaxListeners } from "node:events";
import { AutokestraError, type CallLimits, type SecretAnswer, type SourceFailure } from "@autokestra/secrets-core";
import { malformed, timedOut } from "./answers.ts";

/** A provider whose time is over may still say what it was waiting for. */
const LAST_WORD_MS = 50;

/**
 * Runs one call with a deadline. Answers when it is over, or when `outer` is aborted, whether or not the call minds its signal.
 *
 * @param ms how long it may take
 * @throws AutokestraError that the call throws; whatever else it throws can quote a value, and is answered as malformed
 */
export async function withinLimits<Secret>(
  ms: number,
  outer: AbortSignal | undefined,
  run: (limits: CallLimits) => Promise<SecretAnswer<Secret>>,
): Promise<SecretAnswer<Secret>> {
  if (outer?.aborted === true) return timedOut("its time was used up before");
  const controller = new AbortController();
  // A call that asks for many names makes many requests, and each of them listens.
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
 * Waits for a promise as long as there is time.
 *
 * @param reason what to answer when it is over
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

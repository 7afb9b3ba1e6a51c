import { setMaxListeners } from "node:events";
import { HttpFailure } from "./http-failure.ts";

/** Ends a request when its time is over or the run is cancelled. Must be closed. */
export interface Deadline {
  /** Its reason is an HttpFailure that says which of the two it was. */
  readonly signal: AbortSignal;
  close(): void;
}

// Not AbortSignal.timeout: its timer cannot be cleared when the request is done.
export function openDeadline(seconds: number, cancelled: AbortSignal): Deadline {
  const controller = new AbortController();
  // Every hop of a chain of redirects may open a socket that listens.
  setMaxListeners(0, controller.signal);
  const cancel = () => controller.abort(new HttpFailure("HTTP_CANCELLED", "cancelled"));
  const expire = () => controller.abort(new HttpFailure("HTTP_TIMEOUT", `no complete response within ${seconds} s`));
  const timer = setTimeout(expire, seconds * 1000);
  cancelled.addEventListener("abort", cancel, { once: true });
  if (cancelled.aborted) cancel();
  return {
    signal: controller.signal,
    close() {
      clearTimeout(timer);
      cancelled.removeEventListener("abort", cancel);
    },
  };
}

import { setMaxListeners } from "node:events";
import { HttpFailure } from "./http-failure.ts";

/** Ends a request when it times out or the run is cancelled. Must be closed. */
export interface Deadline {
  /** Its reason is the HttpFailure to report. */
  readonly signal: AbortSignal;
  /** Begins the time anew. */
  restart(): void;
  close(): void;
}

// Not AbortSignal.timeout: its timer cannot be cleared when the request is done.
export function openDeadline(seconds: number, cancelled: AbortSignal): Deadline {
  const controller = new AbortController();
  // Every redirect may open another socket that listens, and more than ten would make Node warn of a leak.
  setMaxListeners(0, controller.signal);
  const cancel = () => controller.abort(new HttpFailure("HTTP_CANCELLED", "cancelled"));
  const expire = () => controller.abort(new HttpFailure("HTTP_TIMEOUT", `no complete response within ${seconds} s`));
  const timer = setTimeout(expire, seconds * 1000);
  cancelled.addEventListener("abort", cancel, { once: true });
  if (cancelled.aborted) cancel();
  return {
    signal: controller.signal,
    restart: () => void timer.refresh(),
    close() {
      clearTimeout(timer);
      cancelled.removeEventListener("abort", cancel);
    },
  };
}

import type { CallLimits } from "@autokestra/secrets-core";

/** More time than anything takes. */
export function soon(ms = 100_000): CallLimits {
  return { signal: AbortSignal.timeout(ms), deadline: Date.now() + ms };
}

import { getSystemErrorMap } from "node:util";

/**
 * Returns the text of an error of the operating system, such as `no space left on device`; null for any other error.
 */
export function systemReason(error: unknown): string | null {
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : Number.NaN;
  return getSystemErrorMap().get(errno)?.[1] ?? null;
}

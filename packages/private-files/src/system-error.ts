import { getSystemErrorMap } from "node:util";

/** What the operating system calls an error, such as `no space left on device`; null where it is none of the system's. */
export function systemReason(error: unknown): string | null {
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : Number.NaN;
  return getSystemErrorMap().get(errno)?.[1] ?? null;
}

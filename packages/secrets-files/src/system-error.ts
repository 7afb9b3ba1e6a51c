import { getSystemErrorMap } from "node:util";

/** The code of an error of the file system or of a library, such as `ENOENT`; empty where it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** What the operating system calls an error, such as `no space left on device`; null where it is none of the system's. */
export function systemReason(error: unknown): string | null {
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : Number.NaN;
  return getSystemErrorMap().get(errno)?.[1] ?? null;
}

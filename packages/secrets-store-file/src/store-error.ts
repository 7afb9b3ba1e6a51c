import { systemReason } from "@autokestra/private-files";
import { AutokestraError, errorCode, storeUnavailable } from "@autokestra/secrets-core";

/** Does `work`, and throws what it throws as {@link toStoreError} makes it. */
export async function attempt<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStoreError(error, path);
  }
}

/** The error to throw for one of the file system: path, reason and code. An AutokestraError stays as it is. */
export function toStoreError(error: unknown, path: string): AutokestraError {
  if (error instanceof AutokestraError) return error;
  const reason = systemReason(error);
  return storeUnavailable(path, reason === null ? "unexpected failure" : `${reason} (${errorCode(error)})`);
}

import { systemReason } from "@autokestra/private-files";
import { errorCode, storeUnavailable } from "@autokestra/secrets-core";

/** The error to throw for one of the file system: place and reason. Any other error stays as it is. */
export function toStoreError(error: unknown, place: string): unknown {
  const reason = systemReason(error);
  return reason === null ? error : storeUnavailable(place, `${reason} (${errorCode(error)})`);
}

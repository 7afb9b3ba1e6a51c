import { type AutokestraError, storeUnavailable } from "@autokestra/secrets-core";

/** The error where a store is needed that was made before. */
export function noStoreYet(folder: string): AutokestraError {
  return storeUnavailable(
    folder,
    "there is none yet",
    "It is made with the first secret: `autokestra secrets set NAME`.",
  );
}

import { AutokestraError, quoteText } from "./errors.ts";

/** A store that cannot be reached: locked, no space, no permission, not private. */
export function storeUnavailable(path: string, reason: string, hint?: string): AutokestraError {
  return new AutokestraError("STORE_UNAVAILABLE", `Secret store ${quotePath(path)} cannot be used: ${reason}`, {
    hint,
  });
}

/** What every method of a closed store throws. */
export function storeClosed(): AutokestraError {
  return new AutokestraError("STORE_UNAVAILABLE", "The secret store is closed");
}

/** A store whose content is not what a store writes. */
export function storeCorrupt(path: string, reason: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `Secret store ${quotePath(path)} cannot be read: ${reason}`, {
    hint: "Restore it from a backup, or move it away to begin with an empty store.",
  });
}

/**
 * A store that a newer version of autokestra has written.
 *
 * @param layout what `found` and `newest` count
 */
export function storeTooNew(path: string, layout: "format" | "schema", found: number, newest: number): AutokestraError {
  return new AutokestraError("STORE_TOO_NEW", `Secret store ${quotePath(path)} has ${layout} ${found}`, {
    hint: `This version of autokestra knows ${layout}s up to ${newest}: use a newer one. Nothing was changed.`,
  });
}

/** One secret whose record is not what a store writes. */
export function secretCorrupt(path: string, name: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `Secret '${quoteText(name)}' is damaged in ${quotePath(path)}`, {
    hint: "Restore the store from a backup, or remove the secret with `secrets delete NAME --purge` and set it again.",
  });
}

/** The whole path, on one line. */
export function quotePath(path: string): string {
  return JSON.stringify(path);
}

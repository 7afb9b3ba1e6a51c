import { AutokestraError, quotePath, quoteText } from "@autokestra/secrets-core";

/** A run history that cannot be reached, or is none. */
export function historyUnavailable(
  path: string,
  reason: string,
  hint = "`--runs-path FILE` gives another place.",
): AutokestraError {
  return new AutokestraError("HISTORY_UNAVAILABLE", `Run history ${quotePath(path)} cannot be used: ${reason}`, {
    hint,
  });
}

/** `Run 'ID' not found` */
export function runNotFound(execution: string): AutokestraError {
  return new AutokestraError("RUN_NOT_FOUND", `Run '${quoteText(execution)}' not found`, {
    hint: "`autokestra runs list` shows the runs there are.",
  });
}

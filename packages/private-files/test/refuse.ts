import { AutokestraError } from "@autokestra/secrets-core";

/** What a caller would give: an error whose message and hint are what it was told. */
export function refuse(problem: string, hint?: string): AutokestraError {
  return new AutokestraError("OPTION_INVALID", problem, { hint });
}

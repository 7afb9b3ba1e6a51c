import { chmodSync } from "node:fs";
import { errorCode, quotePath } from "@autokestra/secrets-core";
import type { Refuse } from "./refuse.ts";

/**
 * Takes a file or folder away from group and others.
 *
 * @throws what `refuse` makes of `other users can reach "/srv/secrets"`, where it is not ours to change
 */
export function closeToOthers(place: string, mode: "600" | "700", refuse: Refuse): void {
  try {
    chmodSync(place, mode);
  } catch (error) {
    if (errorCode(error) !== "EPERM") throw error;
    throw exposed(place, `Its owner must run \`chmod ${mode} ${quotePath(place)}\`.`, refuse);
  }
}

/** The error for a place that stays open to others. */
export function exposed(place: string, hint: string, refuse: Refuse): Error {
  return refuse(`other users can reach ${quotePath(place)}`, hint);
}

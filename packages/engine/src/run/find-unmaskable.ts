import type { SecretFields } from "@autokestra/secrets-core";
import { isMaskable } from "@autokestra/secrets-masker";

/** The fields with a value that is too short or too common to be masked in logs. */
export function findUnmaskable(fields: SecretFields): readonly string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const values = typeof field === "object" ? field : [String(field)];
    return values.every(isMaskable) ? [] : [name];
  });
}

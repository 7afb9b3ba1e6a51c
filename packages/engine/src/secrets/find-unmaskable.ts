import type { SecretFields } from "@autokestra/secrets-core";
import { createMasker } from "@autokestra/secrets-masker";

/** The fields whose values are too short or too common to be masked in logs. */
export function findUnmaskable(fields: SecretFields): readonly string[] {
  const values = Object.entries(fields).flatMap(([name, field]) =>
    (typeof field === "object" ? field : [String(field)]).map((value) => ({ name, value })),
  );
  const masker = createMasker(values);
  const names = masker.unmaskable();
  masker.dispose();
  return names;
}

import { nearestName } from "@autokestra/config/yaml";
import type { SecretFields, SecretService, SecretSource } from "@autokestra/secrets-core";
import { isMaskable } from "@autokestra/secrets-masker";
import { createStoreSource as createPlainSource } from "@autokestra/secrets-resolver";

/** Of so many names at most: whoever misses more has not mistyped them, and each is compared with all that are stored. */
const MAX_HINTS = 20;

/** Takes secrets from a store. Of a name that is not there it says which other one was probably meant. */
export function createStoreSource(secrets: Pick<SecretService, "get" | "list">): SecretSource {
  const source = createPlainSource(secrets);
  const notFound = new Set<string>();
  return {
    ...source,
    async lookup(name, options) {
      const answer = await source.lookup(name, options);
      if (answer.status !== "notFound" || answer.reason !== undefined) return answer;
      notFound.add(name);
      if (notFound.size > MAX_HINTS) return answer;
      const stored = await secrets.list();
      const nearest = nearestName(
        name,
        stored.map((secret) => secret.name),
      );
      return nearest === null ? answer : { ...answer, reason: `'${name}' is not stored: did you mean '${nearest}'?` };
    },
  };
}

/** The fields with a value that is too short or too common to be masked in logs. */
export function findUnmaskable(fields: SecretFields): readonly string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const values = typeof field === "object" ? field : [String(field)];
    return values.every(isMaskable) ? [] : [name];
  });
}

import { nearestName } from "@autokestra/config/yaml";
import type { SecretFields, SecretService, SecretSource } from "@autokestra/secrets-core";
import { isMaskable } from "@autokestra/secrets-masker";
import { createStoreSource as createPlainSource } from "@autokestra/secrets-resolver";

/**
 * The maximum number of names to give hints for. More missing names are not mistyped, and each hint reads the whole
 * store.
 */
const MAX_HINTS = 20;

/**
 * Creates a source that takes secrets from a store. For a name that is not stored, it says which other name was
 * probably meant.
 *
 * @param secrets an open store, such as `openSecrets` of `@autokestra/secrets` returns
 */
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

/** Finds the fields whose value is too short or too common to be masked. */
export function findUnmaskable(fields: SecretFields): readonly string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const values = typeof field === "object" ? field : [String(field)];
    return values.every(isMaskable) ? [] : [name];
  });
}

import type { SecretService, SecretSource } from "@autokestra/secrets-core";
import { createStoreSource as createPlainSource } from "@autokestra/secrets-resolver";
import { nearestName } from "../nearest-name.ts";

/** Takes secrets from a store. Of a name that is not there it says which other one was probably meant. */
export function createStoreSource(secrets: Pick<SecretService, "get" | "list">): SecretSource {
  const source = createPlainSource(secrets);
  return {
    ...source,
    async lookup(name) {
      const answer = await source.lookup(name);
      if (answer.status !== "absent" || answer.hint !== undefined) return answer;
      const stored = await secrets.list();
      const nearest = nearestName(
        name,
        stored.map((secret) => secret.name),
      );
      return nearest === null ? answer : { ...answer, hint: `'${name}' is not stored: did you mean '${nearest}'?` };
    },
  };
}

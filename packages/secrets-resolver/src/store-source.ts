import { hasCode, type SecretService, type SecretSource } from "@autokestra/secrets-core";
import { readPolicy } from "@autokestra/secrets-core/internal";

/**
 * Creates the source that takes secrets from a store. Its errors, such as a wrong key or a changed record, are thrown
 * and end the resolution.
 *
 * @param secrets a `SecretService`, such as that of `openSecrets` of `@autokestra/secrets`
 *
 * @example
 * ```ts
 * import { AutokestraError, parseSecretName, type SecretService } from "@autokestra/secrets-core";
 * import { createStoreSource } from "@autokestra/secrets-resolver";
 *
 * const secrets: Pick<SecretService, "get"> = {
 *   async get(name) {
 *     throw new AutokestraError("SECRET_NOT_FOUND", `Secret '${name}' not found`);
 *   },
 * };
 * console.log(await createStoreSource(secrets).lookup(parseSecretName("TOKEN"))); // prints { status: 'notFound' }
 * ```
 */
export function createStoreSource(secrets: Pick<SecretService, "get">): SecretSource {
  return {
    id: "store",
    async lookup(name) {
      try {
        const { metadata, fields, flags } = await secrets.get(name);
        const { type, expiresAt, version, policy } = metadata;
        const allow = policy === null ? undefined : readPolicy(name, policy);
        return { status: "found", secret: { type, fields, expiresAt, flags, allow, version: String(version) } };
      } catch (error) {
        if (hasCode(error, "SECRET_NOT_FOUND")) return { status: "notFound" };
        if (!hasCode(error, "SECRET_DELETED")) throw error;
        const { message, hint, details } = error;
        return { status: "notFound", reason: `${message}. ${hint}`, retainedUntil: details.until };
      }
    },
  };
}

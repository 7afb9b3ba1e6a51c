import { hasCode, type SecretService, type SecretSource } from "@autokestra/secrets-core";

/** Takes secrets from a store. What is wrong there (wrong key, changed record, broken store) is thrown as it is. */
export function createStoreSource(secrets: Pick<SecretService, "get">): SecretSource {
  return {
    id: "store",
    async lookup(name) {
      try {
        const { metadata, fields, flags } = await secrets.get(name);
        const { type, expiresAt, version } = metadata;
        return { status: "found", secret: { type, fields, expiresAt, flags, version: String(version) } };
      } catch (error) {
        if (hasCode(error, "SECRET_NOT_FOUND")) return { status: "notFound" };
        if (!hasCode(error, "SECRET_DELETED")) throw error;
        const { message, hint, details } = error;
        return { status: "notFound", reason: `${message}. ${hint}`, retainedUntil: details.until };
      }
    },
  };
}

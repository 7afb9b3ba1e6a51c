import { AutokestraError, type SecretService, type SecretSource } from "@autokestra/secrets-core";

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
        if (!(error instanceof AutokestraError)) throw error;
        if (error.code === "SECRET_NOT_FOUND") return { status: "notFound" };
        if (error.code === "SECRET_DELETED") return { status: "notFound", reason: `${error.message}. ${error.hint}` };
        throw error;
      }
    },
  };
}

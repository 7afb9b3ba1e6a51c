import type { SecretMetadata } from "@autokestra/secrets-core";

/** Metadata as --json prints it: these keys, in this order, null where there is nothing; `deletedAt` only of a deleted secret. */
export function toJson(secret: SecretMetadata): object {
  const { id, name, type, description, tags, version, createdAt, updatedAt, expiresAt, deletedAt } = secret;
  const deleted = deletedAt === null ? {} : { deletedAt };
  return { id, name, type, description, tags, version, createdAt, updatedAt, expiresAt, ...deleted };
}

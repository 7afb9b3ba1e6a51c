import type { SecretMetadata } from "@autokestra/secrets-core";

/** Metadata as --json prints it: these keys, in this order, null where there is nothing. */
export function toJson(secret: SecretMetadata): object {
  const { id, name, type, description, tags, version, createdAt, updatedAt, expiresAt } = secret;
  return { id, name, type, description, tags, version, createdAt, updatedAt, expiresAt };
}

import type { SecretFilter, SecretMetadata } from "@autokestra/secrets-core";

/** Everything that a token can be allowed to do. */
export const PERMISSIONS = [
  "secrets:read",
  "secrets:write",
  "secrets:reveal",
  "runs:read",
  "runs:start",
  "runs:text",
  "audit:read",
  "metrics:read",
] as const;

/** `secrets:read` is for metadata, `secrets:reveal` for values, `runs:text` for workflows that come as text. */
export type Permission = (typeof PERMISSIONS)[number];

/** What each role may do. */
export type Roles = Readonly<Record<string, readonly Permission[]>>;

/** The roles that there always are. */
export const ROLES: Roles = {
  reader: ["secrets:read"],
  writer: ["secrets:read", "secrets:write"],
  revealer: ["secrets:read", "secrets:reveal"],
  runner: ["runs:read", "runs:start"],
  auditor: ["audit:read", "metrics:read"],
  admin: PERMISSIONS,
};

/** Which secrets a caller may see; both conditions must hold. */
export interface Visibility {
  /** One of these is what a name begins with. Null: any name. */
  readonly prefixes: readonly string[] | null;
  /** A secret has at least one of these tags. Null: any secret. */
  readonly tags: readonly string[] | null;
}

/** Tells whether a caller may not see every secret. */
export function isNarrowed({ prefixes, tags }: Visibility): boolean {
  return prefixes !== null || tags !== null;
}

/** The part of a filter that lets only visible secrets through, so that no other is read. */
export function visibleOnly({ prefixes, tags }: Visibility): Pick<SecretFilter, "anyPrefix" | "anyTag"> {
  return { anyPrefix: prefixes ?? undefined, anyTag: tags ?? undefined };
}

/** Tells whether a caller may see a secret with this name and these tags. */
export function isVisible({ prefixes, tags }: Visibility, secret: Pick<SecretMetadata, "name" | "tags">): boolean {
  return (
    (prefixes === null || prefixes.some((prefix) => secret.name.startsWith(prefix))) &&
    (tags === null || tags.some((tag) => secret.tags.includes(tag)))
  );
}

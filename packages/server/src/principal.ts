import type { AuditActor, Permission, Roles, TokenMetadata, Visibility } from "@autokestra/secrets";

/** Who makes a request, and what they may do and see. */
export interface Principal extends Visibility {
  readonly kind: "token" | "jwt";
  /** The id of the token, or the subject of the JWT. */
  readonly id: string;
  /** Of the token; null for a JWT. */
  readonly name: string | null;
  readonly roles: readonly string[];
  readonly permissions: ReadonlySet<Permission>;
  /** ISO 8601 UTC; null: never. */
  readonly expiresAt: string | null;
}

/** @param roles a role that is no longer among them may do nothing */
export function principalOfToken(
  { id, name, role, prefixes, tags, expiresAt }: TokenMetadata,
  roles: Roles,
): Principal {
  const permissions = permissionsOf([role], roles);
  return { kind: "token", id, name, roles: [role], permissions, prefixes, tags, expiresAt };
}

export function permissionsOf(names: readonly string[], roles: Roles): ReadonlySet<Permission> {
  return new Set(names.flatMap((name) => (Object.hasOwn(roles, name) ? (roles[name] ?? []) : [])));
}

/** What requests are counted by. */
export function keyOf({ kind, id }: Principal): string {
  return `${kind} ${id}`;
}

/** A caller as the audit log names them. */
export function actorOf(principal: Principal | null, address: string): AuditActor {
  if (principal === null) return { kind: "anonymous", id: null, address };
  return { kind: principal.kind, id: principal.id, address };
}

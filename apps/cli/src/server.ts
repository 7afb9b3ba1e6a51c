/**
 * The HTTP server. Import it dynamically, because no other command needs what it loads.
 *
 * @module
 */
import { PERMISSIONS, type Permission, ROLES, type Roles } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";

export { createJwtVerifier, createMetrics, createUpkeep, startServer } from "@autokestra/server";

/** The built-in roles and those of the configuration. @throws AutokestraError `OPTION_INVALID` */
export function rolesOf(configured: Readonly<Record<string, readonly string[]>> = {}): Roles {
  const own = Object.entries(configured).map(([name, permissions]) => [name, permissions.map(parsePermission)]);
  return { ...ROLES, ...(Object.fromEntries(own) as Roles) };
}

function parsePermission(text: string): Permission {
  const permission = PERMISSIONS.find((one) => one === text);
  if (permission !== undefined) return permission;
  throw new AutokestraError("OPTION_INVALID", `There is no permission '${quoteText(text)}'`, {
    hint: `Permissions are ${PERMISSIONS.join(", ")}.`,
  });
}

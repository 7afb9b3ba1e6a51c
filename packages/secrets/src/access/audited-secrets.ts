import { userInfo } from "node:os";
import { AutokestraError, type SecretService, type SecretSource, type SecretStore } from "@autokestra/secrets-core";
import type { KeyManager } from "@autokestra/secrets-crypto";
import type { Location } from "../location.ts";
import type { AuditActor } from "./audit-event.ts";
import { openAuditLog, type StoreAuditLog } from "./audit-log.ts";
import type { AuditSettings } from "./audit-settings.ts";
import { type AuditContext, createAuditedService, createAuditedSource } from "./audited-service.ts";

/** Secrets whose reads and changes are recorded. */
export interface AuditedSecrets {
  readonly log: StoreAuditLog;
  as(context: AuditContext): SecretService;
  source(source: SecretSource, context: AuditContext): SecretSource;
}

/**
 * Opens the audit log beside a store.
 *
 * @throws AutokestraError `OPTION_INVALID` where the store is not in a folder; `ACCESS_UNAVAILABLE` where there is no SQLite
 */
export async function openAuditedSecrets(
  { secrets, store, keys, location }: AuditedParts,
  settings: AuditSettings | undefined,
  onNotice: ((text: string) => void) | undefined,
): Promise<AuditedSecrets> {
  if (location.kind === "url") {
    throw new AutokestraError("OPTION_INVALID", "There is no audit log for secrets that are not in a folder");
  }
  const log = await openAuditLog({ folder: location.path, store, keys, settings, onNotice });
  return {
    log,
    as: (context) => createAuditedService(secrets, log, context),
    source: (source, context) => createAuditedSource(source, log, context),
  };
}

interface AuditedParts {
  readonly secrets: SecretService;
  readonly store: SecretStore;
  readonly keys: KeyManager;
  readonly location: Location;
}

/** The user that this process runs as. */
export function thisUser(): AuditActor {
  return { kind: "user", id: userName(), address: null };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // In containers, many users have no name.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

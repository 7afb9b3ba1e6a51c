import { AutokestraError, hasCode } from "@autokestra/secrets-core";
import { storeLocation } from "../folders.ts";
import { isAuditOn, openSecretsManager, type SecretsOptions } from "../manager.ts";
import type { AuditAction, AuditActor, AuditEvent, AuditOutcome } from "./audit-event.ts";

/**
 * Does something with all secrets of a place, with their keys, or with a run beside them. Where the audit log is on, the intent is recorded
 * before and the outcome after it, with an HMAC where the key can be opened.
 *
 * The log is closed meanwhile: moving a store needs it for itself.
 *
 * @param more what else the records say. Default: nothing
 * @throws AutokestraError `AUDIT_UNAVAILABLE`, and then nothing was done; what `work` throws
 */
export async function recordOperation<T>(
  options: SecretsOptions,
  action: AuditAction,
  work: () => Promise<T>,
  more: Pick<AuditEvent, "execution"> = {},
): Promise<T> {
  if (!isAuditOn(options)) return await work();
  return await recordWork(async (outcome) => await record(options, { ...more, action, outcome }), work);
}

/**
 * Does something, with a record of the intent before and of the outcome after it. Where a failure cannot be recorded either, the caller
 * still hears of the failure.
 *
 * @param outcomeOf what the record says of a result. Default: `done`
 */
export async function recordWork<T>(
  tell: (outcome: AuditOutcome) => Promise<void>,
  work: () => Promise<T>,
  outcomeOf: (result: T) => AuditOutcome = () => "done",
): Promise<T> {
  await tell("intent");
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await tell(error instanceof AutokestraError ? error.code : "failed").catch(() => undefined);
    throw error;
  }
  await tell(outcomeOf(result));
  return result;
}

async function record(options: SecretsOptions, event: Omit<AuditEvent, "actor">): Promise<void> {
  const { log, actor, close } = await openLog(options);
  try {
    await log.record({ ...event, actor });
  } finally {
    await close();
  }
}

async function openLog(options: SecretsOptions) {
  const { thisUser } = await import("./audited-secrets.ts");
  const actor: AuditActor = options.actor ?? thisUser();
  try {
    const { secrets, audit } = await openSecretsManager({ ...options, create: false, onNotice: undefined });
    if (audit !== null) return { log: audit, actor, close: async () => await secrets.close() };
  } catch (error) {
    // What is done may be what repairs it.
    if (!hasCode(error, "STORE_CORRUPT", "STORE_UNAVAILABLE", "STORE_TOO_NEW")) throw error;
  }
  const { openAuditLog } = await import("./audit-log.ts");
  const location = storeLocation(options);
  const log = await openAuditLog({ folder: location.kind === "folder" ? location.path : "", ...NO_STORE });
  return { log, actor, close: async () => await log.close() };
}

/** For a store that does not open: its records have no HMAC, and the next one that has covers them. */
const NO_STORE = {
  store: { readAnchor: async () => null, writeAnchor: async () => false },
  keys: {
    opened: () => null,
    keyring: async () => await Promise.reject(new Error("the store does not open")),
    keyringIfAny: async () => null,
  },
} as const;

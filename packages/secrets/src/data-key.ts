import { hasCode } from "@autokestra/secrets-core";
import type { KeyManager, StoreHeader } from "@autokestra/secrets-crypto";
import { recordWork } from "./access/recorded-operation.ts";
import { withLease } from "./lease.ts";
import type { SecretsManager } from "./manager.ts";
import type { KeyedStore } from "./records.ts";
import { countByKey, type ReencryptOptions, reencryptAll } from "./reencryption.ts";

/** One rotation of the data key of a store at a time. */
const LEASE = "data key";

/**
 * Creates a new data key, encrypts all versions again until none is left under an older key, then destroys the older
 * keys. Other processes may read and write in the meantime.
 *
 * @returns the number of secrets with a version under each data key; null if the signal has stopped it
 * @throws AutokestraError `HEADER_CHANGED` if another rotation has begun; `INTEGRITY_FAILED`, `STORE_*`
 */
export async function replaceDataKey(
  keyed: KeyedStore & { readonly keys: KeyManager },
  options: ReencryptOptions,
): Promise<ReadonlyMap<string, number> | null> {
  const { keys, store } = keyed;
  if (options.signal?.aborted) return null;
  const { active } = await keys.addDataKey();
  // A rotation that another process does at this time stops: it is no longer its key.
  const done = await withLease(store, LEASE, async () => await moveToKey(keyed, active.id, options), true);
  return done === null ? await moveToKey(keyed, active.id, options) : done.value;
}

/** Encrypts all versions again under the active data key, then destroys the older ones. */
async function moveToKey(
  keyed: KeyedStore & { readonly keys: KeyManager },
  keyId: string,
  options: ReencryptOptions,
): Promise<ReadonlyMap<string, number> | null> {
  const { keys } = keyed;
  for (;;) {
    if (!(await reencryptAll(keyed, keyId, options))) return null;
    const counts = await countByKey(keyed);
    if ([...counts.keys()].some((id) => id !== keyId)) continue;
    const { header } = await keys.keyring();
    const unused = header.dataKeys.filter(({ id, state }) => state === "decrypt-only" && !counts.has(id));
    try {
      await keys.destroyDataKeys(unused.map(({ id }) => id));
      return counts;
    } catch (error) {
      // Since the count, another process has written a version that is encrypted under one of them.
      if (!hasCode(error, "DATA_KEY_IN_USE")) throw error;
    }
  }
}

export interface RenewDataKeyOptions extends ReencryptOptions {
  /** The age at which the data key is replaced, in milliseconds. */
  readonly maxAgeMs: number;
}

/**
 * Replaces the data key if it is too old, or finishes a rotation that was killed, as `rotateKeys` does with `dataKey`.
 * Call it regularly: of all processes with the store open, only one does it at a time. It is recorded if the audit log
 * is on.
 *
 * @returns false if there was nothing to do, if another process does it, or if the signal has stopped it
 * @throws AutokestraError `AUDIT_UNAVAILABLE`, and then nothing was done; `INTEGRITY_FAILED`, `KEY_*`, `STORE_*`
 */
export async function renewDataKey(manager: SecretsManager, options: RenewDataKeyOptions): Promise<boolean> {
  const { store, keys } = manager;
  const isNeeded = async () => {
    if ((await store.readHeader()) === null) return false;
    const { header } = await keys.keyring();
    return header.format !== 1 && (isUnfinished(header) || isTooOld(header, options.maxAgeMs));
  };
  if (!(await isNeeded())) return false;
  const done = await withLease(store, LEASE, async (lost) => {
    // Another process may have done it before this one got the lease.
    if (!(await isNeeded())) return false;
    const signal = options.signal === undefined ? lost : AbortSignal.any([options.signal, lost]);
    return await recordRenewal(manager, async () => await renew(manager, { ...options, signal }));
  });
  return done?.value ?? false;
}

/** @returns false if the signal has stopped it, or another process has begun a rotation of its own */
async function renew(manager: SecretsManager, options: RenewDataKeyOptions): Promise<boolean> {
  const { keys } = manager;
  const { header, active } = await keys.keyring();
  const keyId = isUnfinished(header) ? active.id : (await keys.addDataKey()).active.id;
  try {
    return (await moveToKey(manager, keyId, options)) !== null;
  } catch (error) {
    if (hasCode(error, "HEADER_CHANGED")) return false;
    throw error;
  }
}

/** A data key that only decrypts is destroyed at the end of a rotation. */
function isUnfinished({ dataKeys }: StoreHeader): boolean {
  return dataKeys.some(({ state }) => state === "decrypt-only");
}

function isTooOld({ dataKeys }: StoreHeader, maxAgeMs: number): boolean {
  return dataKeys.some(({ state, createdAt }) => state === "active" && Date.now() - Date.parse(createdAt) >= maxAgeMs);
}

async function recordRenewal({ audit }: SecretsManager, work: () => Promise<boolean>): Promise<boolean> {
  const event = { actor: { kind: "system", id: "schedule", address: null }, action: "keys.rotate" } as const;
  return await recordWork(
    async (outcome) => await audit?.record({ ...event, outcome }),
    work,
    (isDone) => (isDone ? "done" : "cancelled"),
  );
}

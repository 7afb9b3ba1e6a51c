import { setImmediate, setTimeout } from "node:timers/promises";
import {
  AutokestraError,
  type EncryptedSecret,
  hasCode,
  type ReencryptedSecret,
  type SecretEncryption,
  type UnencryptedSecret,
} from "@autokestra/secrets-core";
import { toCurrentPayload } from "@autokestra/secrets-core/internal";
import type { KeyManager, StoreHeader } from "@autokestra/secrets-crypto";
import { recordWork } from "./access/recorded-operation.ts";
import { withLease } from "./lease.ts";
import type { SecretsManager } from "./manager.ts";
import { countSecrets, idPages, type KeyedStore } from "./records.ts";

/** The number of secrets that are encrypted again and written together. A rotation that is killed repeats one batch. */
const BATCH = 100;

/** The same with a maximum for each second: nothing else runs in this process during a batch. */
const SMALL_BATCH = 20;

export interface ReplaceDataKeyOptions {
  /** Called with the number of secrets that are encrypted under the new data key, and their total. Default: nothing. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops the rotation between two steps. Calling it again finishes it. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /** How many secrets are encrypted again in a second, so that others are not held up. Default: as many as possible. */
  readonly secretsPerSecond?: number | undefined;
}

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
  options: ReplaceDataKeyOptions,
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
  options: ReplaceDataKeyOptions,
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

export interface RenewDataKeyOptions extends ReplaceDataKeyOptions {
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

/** @returns false if the signal has stopped it */
async function reencryptAll(
  keyed: KeyedStore,
  keyId: string,
  { onProgress, signal, secretsPerSecond = Number.POSITIVE_INFINITY }: ReplaceDataKeyOptions,
): Promise<boolean> {
  const total = await countSecrets(keyed.store);
  const size = Number.isFinite(secretsPerSecond) ? SMALL_BATCH : BATCH;
  let done = 0;
  for await (const ids of idPages(keyed.store)) {
    for (let at = 0; at < ids.length; at += size) {
      if (signal?.aborted) return false;
      const batch = ids.slice(at, at + size);
      const startedAt = performance.now();
      const isChanged = await reencryptBatch(keyed, batch, keyId);
      done += batch.length;
      onProgress?.(done, total);
      const pause = (batch.length / secretsPerSecond) * 1000 - (performance.now() - startedAt);
      if (!isChanged || pause <= 0) await setImmediate();
      else await setTimeout(pause, undefined, { signal }).catch(() => undefined);
    }
  }
  return true;
}

/** @returns false if nothing was left to do */
async function reencryptBatch(keyed: KeyedStore, ids: readonly string[], keyId: string): Promise<boolean> {
  const { store, encryption } = keyed;
  for (;;) {
    const old = await readOld(keyed, ids, keyId);
    if (old.length === 0) return false;
    const { secrets, header } = await encryption.encrypt(old.map(({ unencrypted }) => unencrypted));
    if (secrets.some(({ envelope }) => envelope.keyId !== keyId)) throw overtaken();
    const reencrypted = secrets.flatMap((secret, index): ReencryptedSecret[] => {
      const nonce = old[index]?.nonce;
      return nonce === undefined ? [] : [{ secret, nonce }];
    });
    try {
      await store.reencrypt(reencrypted, header);
      return true;
    } catch (error) {
      if (!hasCode(error, "HEADER_CHANGED")) throw error;
      await encryption.refresh();
    }
  }
}

/** A version under an older data key, decrypted. */
interface OldVersion {
  readonly unencrypted: UnencryptedSecret;
  readonly nonce: Uint8Array;
}

async function readOld(keyed: KeyedStore, ids: readonly string[], keyId: string): Promise<readonly OldVersion[]> {
  const old: OldVersion[] = [];
  for (const id of ids) old.push(...(await decryptOld(keyed, id, keyId)));
  return old;
}

/**
 * Decrypts the versions under older keys, and tries again if they have changed in the meantime. Verifies them first, so
 * that a forged record does not get a valid mac.
 */
async function decryptOld(
  { store, encryption }: KeyedStore,
  id: string,
  keyId: string,
): Promise<readonly OldVersion[]> {
  let before = "";
  for (;;) {
    const versions = await store.versions(id);
    const old = versions.filter(({ envelope }) => envelope.keyId !== keyId);
    const [current] = versions;
    try {
      if (current !== undefined && old.length > 0) await encryption.verify(current);
      return await Promise.all(old.map(async (encrypted) => await decryptVersion(encrypted, encryption)));
    } catch (error) {
      const now = versions.map(({ envelope, mac }) => `${String(envelope.nonce)} ${mac}`).join();
      if (!hasCode(error, "INTEGRITY_FAILED") || now === before) throw error;
      before = now;
    }
  }
}

async function decryptVersion(
  { metadata, envelope }: EncryptedSecret,
  encryption: SecretEncryption,
): Promise<OldVersion> {
  const plaintext = await encryption.decrypt(metadata, envelope);
  const current = toCurrentPayload(metadata.name, envelope.format, plaintext);
  return { unencrypted: { metadata, plaintext: current }, nonce: envelope.nonce };
}

/** Counts the secrets with a version under each data key. */
async function countByKey({ store }: KeyedStore): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const ids of idPages(store)) {
    for (const id of ids) {
      const keyIds = new Set((await store.versions(id)).map(({ envelope }) => envelope.keyId));
      for (const keyId of keyIds) counts.set(keyId, (counts.get(keyId) ?? 0) + 1);
    }
  }
  return counts;
}

function overtaken(): AutokestraError {
  return new AutokestraError("HEADER_CHANGED", "Another rotation has begun, with a data key of its own", {
    hint: "It encrypts all secrets again; nothing is left to do here.",
  });
}

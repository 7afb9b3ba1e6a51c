import {
  AutokestraError,
  type EncryptedSecret,
  hasCode,
  type ReencryptedSecret,
  type SecretEncryption,
  type UnencryptedSecret,
} from "@autokestra/secrets-core";
import { toCurrentPayload } from "@autokestra/secrets-core/internal";
import type { KeyManager } from "@autokestra/secrets-crypto";
import { countSecrets, idPages, type KeyedStore } from "./records.ts";

/** The number of secrets that are encrypted again and written together. A rotation that is killed repeats one batch. */
const BATCH = 100;

export interface ReplaceDataKeyOptions {
  /** Called with the number of secrets that are encrypted under the new data key, and their total. Default: nothing. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops the rotation between two steps. Calling it again finishes it. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

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
  const { keys } = keyed;
  if (options.signal?.aborted) return null;
  const { active } = await keys.addDataKey();
  for (;;) {
    if (!(await reencryptAll(keyed, active.id, options))) return null;
    const counts = await countByKey(keyed);
    if ([...counts.keys()].some((id) => id !== active.id)) continue;
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

/** @returns false if the signal has stopped it */
async function reencryptAll(
  keyed: KeyedStore,
  keyId: string,
  { onProgress, signal }: ReplaceDataKeyOptions,
): Promise<boolean> {
  const total = await countSecrets(keyed.store);
  let done = 0;
  for await (const ids of idPages(keyed.store)) {
    for (let at = 0; at < ids.length; at += BATCH) {
      if (signal?.aborted) return false;
      const batch = ids.slice(at, at + BATCH);
      await reencryptBatch(keyed, batch, keyId);
      done += batch.length;
      onProgress?.(done, total);
    }
  }
  return true;
}

async function reencryptBatch(keyed: KeyedStore, ids: readonly string[], keyId: string): Promise<void> {
  const { store, encryption } = keyed;
  for (;;) {
    const old = await readOld(keyed, ids, keyId);
    if (old.length === 0) return;
    const { secrets, header } = await encryption.encrypt(old.map(({ unencrypted }) => unencrypted));
    if (secrets.some(({ envelope }) => envelope.keyId !== keyId)) throw overtaken();
    const reencrypted = secrets.flatMap((secret, index): ReencryptedSecret[] => {
      const nonce = old[index]?.nonce;
      return nonce === undefined ? [] : [{ secret, nonce }];
    });
    try {
      await store.reencrypt(reencrypted, header);
      return;
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

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
import { countSecrets, idPages, type KeyedStore } from "./records.ts";

/** The number of secrets that are encrypted again and written together. A rotation that is killed repeats one batch. */
const BATCH = 100;

/** The same with a maximum for each second: nothing else runs in this process during a batch. */
const SMALL_BATCH = 20;

export interface ReencryptOptions {
  /** Called with the number of secrets that are encrypted under the new data key, and their total. Default: nothing. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops the rotation between two steps. Calling it again finishes it. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /** How many secrets are encrypted again in a second, so that others are not held up. Default: as many as possible. */
  readonly secretsPerSecond?: number | undefined;
}

/** Encrypts all versions again under the active data key, which has this id. @returns false if the signal has stopped it */
export async function reencryptAll(
  keyed: KeyedStore,
  keyId: string,
  { onProgress, signal, secretsPerSecond = Number.POSITIVE_INFINITY }: ReencryptOptions,
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
export async function countByKey({ store }: KeyedStore): Promise<Map<string, number>> {
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

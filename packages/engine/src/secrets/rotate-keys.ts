import { resolve } from "node:path";
import { AutokestraError, hasCode, type MasterKey, type SealedSecret, type SecretName } from "@autokestra/secrets-core";
import {
  createKeyFile,
  createPendingKey,
  KEY_VARIABLE,
  readKeyFile,
  sweepPendingKeys,
} from "@autokestra/secrets-crypto";
import type { Installation } from "./installation.ts";
import { countNames, namePages } from "./name-pages.ts";

/** Sealed anew and written together; so many are lost work, not lost secrets, where a rotation is killed. */
const BATCH = 100;

export interface RotateOptions {
  /** The new master key: a key file, made if it is not there. Default: a new key in the place of the key file. */
  readonly newKeyFile?: string | undefined;
  /** Make a new data key too, and seal every secret anew under it. Default false. */
  readonly dataKey?: boolean | undefined;
  /** Told how many of all secrets are sealed under the new data key. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface RotateReport {
  /** Short names of the master key before and now. */
  readonly before: string;
  readonly after: string;
  /** Where the new master key is. */
  readonly keyFile: string;
  /** How many secrets are sealed under which data key; null without `dataKey`, when nobody has looked at them. */
  readonly dataKeys: readonly { readonly id: string; readonly state: string; readonly secrets: number | null }[];
}

/**
 * Puts another master key in the place of the one there is: the data keys are wrapped anew, so it takes the same time for any
 * number of secrets. With `dataKey` every version of every secret is sealed anew too, in batches, while others read and write. Killed at any
 * moment it loses nothing; running it again finishes it.
 *
 * @throws AutokestraError `USAGE` where the key in use is no file and none is named; `KEY_*`, `STORE_*`, `INTEGRITY_FAILED`
 */
export async function rotateKeys(installation: Installation, options: RotateOptions = {}): Promise<RotateReport> {
  const { keys, keyFile } = installation;
  const current = await keys.current();
  const { newKeyFile } = options;
  if (newKeyFile === undefined) await replaceKeyFile(installation, current.source);
  else await keys.rotateMasterKey(await readNewKey(newKeyFile, current.source));
  const counts = options.dataKey === true ? await replaceDataKey(installation, options.onProgress) : null;
  const { header, fingerprint } = await keys.current();
  return {
    before: current.fingerprint,
    after: fingerprint,
    keyFile: newKeyFile ?? keyFile,
    dataKeys: header.dataKeys.map(({ id, state }) => ({
      id,
      state,
      secrets: counts === null ? null : (counts.get(id) ?? 0),
    })),
  };
}

async function replaceKeyFile({ keys, keyFile }: Installation, source: string): Promise<void> {
  if (source === KEY_VARIABLE) {
    throw new AutokestraError(
      "USAGE",
      `The master key comes from ${KEY_VARIABLE}, which cannot be replaced from here`,
      {
        hint: "Say where the new key goes with --new-key-file.",
      },
    );
  }
  sweepPendingKeys(keyFile, Date.now());
  const pending = await createPendingKey(keyFile);
  // From here to `promote` the new key is the only one that opens the store: it lies beside the old one, where it is looked for.
  await keys.rotateMasterKey(pending.key);
  await pending.promote();
}

async function readNewKey(path: string, source: string): Promise<MasterKey> {
  if (resolve(path) === resolve(source)) {
    throw new AutokestraError("USAGE", `${path} holds the key that is in use`, {
      hint: "Leave --new-key-file out to put a new key in its place.",
    });
  }
  await createKeyFile(path);
  const content = await readKeyFile(path);
  if (content === null) throw new AutokestraError("KEY_UNREADABLE", `The key file ${path} is gone`);
  return { ...content, source: path, otherSource: null };
}

/**
 * Goes over all versions until none is left under an older key, then destroys the older keys.
 *
 * @returns how many secrets have a version under each data key
 */
async function replaceDataKey(
  installation: Installation,
  onProgress: RotateOptions["onProgress"],
): Promise<ReadonlyMap<string, number>> {
  const { keys } = installation;
  const { active } = await keys.addDataKey();
  let counts: ReadonlyMap<string, number>;
  do {
    await resealAll(installation, active.id, onProgress);
    counts = await countByKey(installation);
  } while ([...counts.keys()].some((id) => id !== active.id));
  const { header } = await keys.current();
  const unused = header.dataKeys.filter(({ id, state }) => state === "decrypt-only" && !counts.has(id));
  await keys.destroyDataKeys(unused.map(({ id }) => id));
  return counts;
}

async function resealAll(
  installation: Installation,
  keyId: string,
  onProgress: RotateOptions["onProgress"],
): Promise<void> {
  const total = await countNames(installation.store);
  let done = 0;
  for await (const names of namePages(installation.store)) {
    for (let at = 0; at < names.length; at += BATCH) {
      const batch = names.slice(at, at + BATCH);
      await resealBatch(installation, batch, keyId);
      done += batch.length;
      onProgress?.(done, total);
    }
  }
}

async function resealBatch(installation: Installation, names: readonly SecretName[], keyId: string): Promise<void> {
  const { store, encryption } = installation;
  for (;;) {
    const resealed: SealedSecret[] = [];
    let header: string | null = null;
    for (const name of names) {
      for (const { metadata, envelope } of await store.history(name)) {
        if (envelope.keyId === keyId) continue;
        const result = await encryption.seal(metadata, await encryption.open(metadata, envelope));
        if (result.envelope.keyId !== keyId) throw overtaken();
        resealed.push({ metadata, envelope: result.envelope });
        header = result.header;
      }
    }
    if (resealed.length === 0) return;
    try {
      await store.reseal(resealed, header);
      return;
    } catch (error) {
      if (!hasCode(error, "HEADER_CHANGED")) throw error;
      await encryption.refresh();
    }
  }
}

/** How many secrets have a version under each data key. */
async function countByKey({ store }: Installation): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const names of namePages(store)) {
    for (const name of names) {
      const keyIds = new Set((await store.history(name)).map(({ envelope }) => envelope.keyId));
      for (const keyId of keyIds) counts.set(keyId, (counts.get(keyId) ?? 0) + 1);
    }
  }
  return counts;
}

function overtaken(): AutokestraError {
  return new AutokestraError("HEADER_CHANGED", "Another rotation has begun, with a data key of its own", {
    hint: "It seals all secrets anew; nothing is left to do here.",
  });
}

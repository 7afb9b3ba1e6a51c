import type { Timestamp } from "@autokestra/secrets-core";
import type { Keyring } from "@autokestra/secrets-crypto";
import type { Fields } from "@autokestra/secrets-crypto/internal";
import type { SecretsManager } from "./manager.ts";

/** Since when the keys of a store are in use. */
export interface KeyDates {
  readonly masterKey: Timestamp;
  readonly dataKey: Timestamp;
}

const ANCHOR = "master key";

/** What the MAC of the anchor covers. */
function anchorFields(text: string): Fields {
  return ["autokestra master key", 1, text];
}

type KeyedManager = Pick<SecretsManager, "store" | "keys">;

/**
 * Records that the store has the master key from now on. Call it after a rotation; calling it again changes nothing. A
 * store of version 1 has no place for it.
 */
export async function recordMasterKey({ store, keys }: KeyedManager): Promise<void> {
  const keyring = await keys.keyring();
  if (keyring.header.format === 1 || (await recordedDate({ store }, keyring)) !== null) return;
  const current = await store.readAnchor(ANCHOR);
  const text = `${keyring.fingerprint} ${new Date().toISOString()}`;
  const mac = keyring.authenticateFields("key", anchorFields(text));
  // If another process has been faster, it has recorded the same.
  await store.writeAnchor({ name: ANCHOR, counter: (current?.counter ?? 0) + 1, text, mac }, current?.counter ?? null);
}

/**
 * Returns since when the keys of a store are in use. Where no rotation of the master key was recorded, its date is that of
 * the store, or of its first data key: it is never too late.
 *
 * @returns null if the store has no keys yet
 * @throws AutokestraError `KEY_*`, `INTEGRITY_FAILED`, `STORE_*`
 */
export async function readKeyDates({ store, keys }: KeyedManager): Promise<KeyDates | null> {
  if ((await store.readHeader()) === null) return null;
  const keyring = await keys.keyring();
  const { dataKeys } = keyring.header;
  const [first = ""] = dataKeys.map(({ createdAt }) => createdAt).toSorted();
  const active = dataKeys.find(({ state }) => state === "active")?.createdAt ?? first;
  return { masterKey: (await recordedDate({ store }, keyring)) ?? first, dataKey: active };
}

/** Returns the date that is recorded for the master key in use; null if there is none that autokestra has written. */
async function recordedDate({ store }: Pick<KeyedManager, "store">, keyring: Keyring): Promise<Timestamp | null> {
  const anchor = await store.readAnchor(ANCHOR);
  if (anchor === null || !keyring.checkFields("key", anchorFields(anchor.text), anchor.mac)) return null;
  const [name, date = null] = anchor.text.split(" ");
  return name === keyring.fingerprint ? date : null;
}

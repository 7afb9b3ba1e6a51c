import type { Fields } from "@autokestra/secrets-crypto/internal";
import type { SecretsManager } from "./manager.ts";

const ANCHOR = "data key rotation";

type KeyedManager = Pick<SecretsManager, "store" | "keys">;

/** What the MAC of the anchor covers. */
function anchorFields(text: string): Fields {
  return ["autokestra data key rotation", 1, text];
}

/**
 * Whether a rotation of both keys has replaced the master key and did not come to its end: it failed, or was interrupted. It did if the data
 * key that it began with is still there, whoever has replaced that. Whoever calls it again needs no further master key.
 */
export async function isHalfDone({ store, keys }: KeyedManager): Promise<boolean> {
  const keyring = await keys.keyring();
  const { format, dataKeys } = keyring.header;
  const anchor = format === 1 ? null : await store.readAnchor(ANCHOR);
  if (anchor === null || !keyring.checkFields("key", anchorFields(anchor.text), anchor.mac)) return false;
  const [masterKey, dataKey] = anchor.text.split(" ");
  return masterKey === keyring.fingerprint && dataKeys.some(({ id, state }) => id === dataKey && state !== "destroyed");
}

/** Records that the master key is new, and that the data key is to be replaced next. A store of version 1 has no place for it. */
export async function recordHalfDone(manager: KeyedManager): Promise<void> {
  const { store, keys } = manager;
  const keyring = await keys.keyring();
  const active = keyring.header.dataKeys.find(({ state }) => state === "active");
  if (keyring.header.format === 1 || active === undefined || (await isHalfDone(manager))) return;
  const current = await store.readAnchor(ANCHOR);
  const text = `${keyring.fingerprint} ${active.id}`;
  const mac = keyring.authenticateFields("key", anchorFields(text));
  // If another process is faster, it has recorded its own rotation.
  await store.writeAnchor({ name: ANCHOR, counter: (current?.counter ?? 0) + 1, text, mac }, current?.counter ?? null);
}

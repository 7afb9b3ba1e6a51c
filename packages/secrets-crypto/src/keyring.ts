import { randomUUID } from "node:crypto";
import { AutokestraError, type MasterKey, type MasterKeyProvider, type SecretStore } from "@autokestra/secrets-core";
import { createDataKey, type DataKey, unwrapDataKey, wrapDataKey } from "./data-key.ts";
import { createKdf, type DerivedKeys, deriveKeys, equalBytes, fingerprint, headerBroken } from "./key-derivation.ts";
import { KEY_VARIABLE } from "./master-key-provider.ts";
import { formatHeader, parseHeader, type ReadHeader, type StoreHeader, verifyHeader } from "./store-header.ts";

/** The opened data keys of one store. */
export interface Keyring {
  readonly storeId: string;
  /** Seals new records. */
  readonly active: DataKey;
  /** The data key with this id, or null. */
  find(keyId: string): DataKey | null;
  /** Overwrites the keys with zeros. Copies that Node or the system made are beyond reach. */
  close(): void;
}

/**
 * Opens the keys of a store. A store without a header gets one, and a master key where there is none yet; a store that has
 * a header never does.
 *
 * @throws AutokestraError `KEY_MISSING`, `KEY_WRONG`, `INTEGRITY_FAILED` (header), and the codes of the provider and the store
 */
export async function openKeyring(store: SecretStore, provider: MasterKeyProvider): Promise<Keyring> {
  const header = await store.readHeader();
  if (header !== null) return await unlock(parseHeader(header), (await provider.load()) ?? keyMissing());
  if ((await store.list()).length > 0) throw headerBroken("is missing although there are records");
  const master = (await provider.load()) ?? (await provider.generate());
  await store.writeHeader(await createHeader(master), null);
  // Another process may have written its header first; the one that is there now counts.
  return await unlock(parseHeader((await store.readHeader()) ?? ""), master);
}

async function createHeader(master: MasterKey): Promise<string> {
  const storeId = randomUUID();
  const kdf = createKdf(master.kind);
  const keys = await deriveKeys(kdf, master);
  const dataKey = createDataKey();
  const header: StoreHeader = {
    format: 1,
    storeId,
    kdf,
    dataKeys: [
      {
        id: dataKey.id,
        state: "active",
        createdAt: new Date().toISOString(),
        wrapped: wrapDataKey(keys.keyEncryptionKey, storeId, dataKey),
      },
    ],
    keyCheck: keys.keyCheck.toString("base64"),
  };
  const text = formatHeader(header, keys.headerKey);
  wipe([dataKey.bytes, keys.keyEncryptionKey, keys.headerKey]);
  return text;
}

async function unlock(read: ReadHeader, master: MasterKey): Promise<Keyring> {
  const { header } = read;
  const keyCheck = Buffer.from(header.keyCheck, "base64");
  const keys = await deriveKeys(header.kdf, master);
  master.material.fill(0);
  if (!equalBytes(keyCheck, keys.keyCheck)) throw keyWrong(master, keys, keyCheck);
  try {
    if (!verifyHeader(read, keys.headerKey)) headerTampered();
    return createKeyring(
      header,
      header.dataKeys.map((key) => unwrapDataKey(keys.keyEncryptionKey, header.storeId, key) ?? headerTampered()),
    );
  } finally {
    wipe([keys.keyEncryptionKey, keys.headerKey]);
  }
}

function createKeyring(header: StoreHeader, dataKeys: readonly DataKey[]): Keyring {
  const activeId = header.dataKeys.find((key) => key.state === "active")?.id;
  const find = (keyId: string) => dataKeys.find((key) => key.id === keyId) ?? null;
  const active = find(activeId ?? "");
  if (active === null) throw headerBroken("has no active data key");
  return { storeId: header.storeId, active, find, close: () => wipe(dataKeys.map((key) => key.bytes)) };
}

function wipe(secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}

function keyMissing(): never {
  throw new AutokestraError("KEY_MISSING", "There are secrets here, but no master key to open them", {
    hint: `Set ${KEY_VARIABLE}, or give the key file they were made with by --key-file. No new key is made for a store that has secrets.`,
  });
}

function keyWrong(master: MasterKey, keys: DerivedKeys, keyCheck: Uint8Array): AutokestraError {
  const also = master.otherSource === null ? "" : `; ${master.otherSource} holds a key too and was not tried`;
  return new AutokestraError(
    "KEY_WRONG",
    `The master key from ${master.source} (${fingerprint(keys.keyCheck)}) is not the key of these secrets (${fingerprint(keyCheck)})${also}`,
    { hint: `Give the key they were made with: ${KEY_VARIABLE}, or --key-file.` },
  );
}

function headerTampered(): never {
  throw new AutokestraError(
    "INTEGRITY_FAILED",
    "The header of the secret store was changed by someone without its key",
    {
      hint: "Restore the store from a backup.",
    },
  );
}

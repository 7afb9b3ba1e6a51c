import { randomUUID } from "node:crypto";
import { AutokestraError, type MasterKey } from "@autokestra/secrets-core";
import { createDataKey, type DataKey, unwrapDataKey, wrapDataKey } from "./data-key.ts";
import { createKdf, type DerivedKeys, deriveKeys, equalBytes, fingerprint, type Kdf } from "./key-derivation.ts";
import { KEY_VARIABLE } from "./master-key-provider.ts";
import {
  formatHeader,
  HEADER_FORMAT,
  parseHeader,
  type ReadHeader,
  type StoreHeader,
  verifyHeader,
} from "./store-header.ts";

/** The opened keys of one header. */
export interface Keyring {
  /** The header as it is stored. */
  readonly text: string;
  readonly header: StoreHeader;
  /** Where the master key came from. */
  readonly source: string;
  /** The short name of the master key: 8 hexadecimal digits of its check value. */
  readonly fingerprint: string;
  /** Seals new records. */
  readonly active: DataKey;
  /** The data key with this id, or null where there is none or it was destroyed. */
  find(keyId: string): DataKey | null;
  /** The keyring of a later header under the same master key; null where the master key is another one. */
  follow(text: string): Keyring | null;
  /** A later header under the same master key, as text. */
  write(dataKeys: StoreHeader["dataKeys"]): string;
  /** The same data keys under another master key. */
  rewrap(kdf: Kdf, keys: DerivedKeys, source: string): Keyring;
  /** A data key as the header keeps it. */
  wrap(key: DataKey): string;
  /** Overwrites the keys with zeros. Copies that Node or the system made are beyond reach. */
  close(): void;
}

/** Makes the keyring of a new store: one data key, of which `seals` are reserved. */
export async function createKeyring(master: MasterKey, seals: number): Promise<Keyring> {
  const storeId = randomUUID();
  const kdf = createKdf(master.kind);
  const keys = await deriveKeys(kdf, master);
  const dataKey = createDataKey();
  const wrapped = wrapDataKey(keys.keyEncryptionKey, storeId, dataKey);
  const createdAt = new Date().toISOString();
  const header: StoreHeader = {
    format: HEADER_FORMAT,
    storeId,
    kdf,
    dataKeys: [{ id: dataKey.id, state: "active", createdAt, seals, wrapped }],
    keyCheck: keys.keyCheck.toString("base64"),
  };
  return toKeyring(formatHeader(header, keys.headerKey), header, keys, master.source);
}

/**
 * Opens the keys of a header.
 *
 * @throws AutokestraError `KEY_WRONG`, `INTEGRITY_FAILED` (somebody without the key has changed the header), and as parseHeader
 */
export async function openKeyring(text: string, master: MasterKey): Promise<Keyring> {
  const read = parseHeader(text);
  const keyCheck = Buffer.from(read.header.keyCheck, "base64");
  const keys = await deriveKeys(read.header.kdf, master);
  if (!equalBytes(keyCheck, keys.keyCheck)) throw keyWrong(master, keys, keyCheck);
  return verified(text, read, keys, master.source);
}

function verified(text: string, read: ReadHeader, keys: DerivedKeys, source: string): Keyring {
  if (!verifyHeader(read, keys.headerKey)) throw headerTampered();
  return toKeyring(text, read.header, keys, source);
}

function toKeyring(text: string, header: StoreHeader, keys: DerivedKeys, source: string): Keyring {
  const { storeId, keyCheck } = header;
  const dataKeys = header.dataKeys.flatMap(({ id, wrapped }) => {
    if (wrapped === null) return [];
    const key = unwrapDataKey(keys.keyEncryptionKey, storeId, id, wrapped);
    if (key === null) throw headerTampered();
    return [key];
  });
  const find = (keyId: string) => dataKeys.find((key) => key.id === keyId) ?? null;
  const active = find(header.dataKeys.find(({ state }) => state === "active")?.id ?? "");
  if (active === null) throw headerTampered();
  return {
    text,
    header,
    source,
    fingerprint: fingerprint(keys.keyCheck),
    active,
    find,
    follow(later) {
      const read = parseHeader(later);
      return read.header.keyCheck === keyCheck && read.header.storeId === storeId
        ? verified(later, read, keys, source)
        : null;
    },
    write: (next) => formatHeader({ ...header, dataKeys: next }, keys.headerKey),
    rewrap(kdf, newKeys, newSource) {
      const rewrapped = header.dataKeys.map((entry) => {
        const key = find(entry.id);
        return key === null ? entry : { ...entry, wrapped: wrapDataKey(newKeys.keyEncryptionKey, storeId, key) };
      });
      const next = { ...header, kdf, dataKeys: rewrapped, keyCheck: newKeys.keyCheck.toString("base64") };
      return toKeyring(formatHeader(next, newKeys.headerKey), next, newKeys, newSource);
    },
    wrap: (key) => wrapDataKey(keys.keyEncryptionKey, storeId, key),
    close() {
      for (const secret of [...dataKeys.map(({ bytes }) => bytes), keys.keyEncryptionKey, keys.headerKey])
        secret.fill(0);
    },
  };
}

function keyWrong(master: MasterKey, keys: DerivedKeys, keyCheck: Uint8Array): AutokestraError {
  const also = master.otherSource === null ? "" : `; ${master.otherSource} holds a key too and was not tried`;
  return new AutokestraError(
    "KEY_WRONG",
    `The master key from ${master.source} (${fingerprint(keys.keyCheck)}) is not the key of these secrets (${fingerprint(keyCheck)})${also}`,
    { hint: `Give the key they were made with: ${KEY_VARIABLE}, or --key-file.` },
  );
}

function headerTampered(): AutokestraError {
  return new AutokestraError(
    "INTEGRITY_FAILED",
    "The header of the secret store was changed by someone without its key",
    {
      hint: "Restore the store from a backup.",
    },
  );
}

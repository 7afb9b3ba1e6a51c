import { randomUUID } from "node:crypto";
import { AutokestraError, type MasterKey } from "@autokestra/secrets-core";
import { createKeyWrapper, type DataKey, type KeyWrapper, type ServiceKey } from "./data-key.ts";
import { formatHeader, HEADER_FORMAT, parseHeader, type ReadHeader, type StoreHeader, verifyHeader } from "./header.ts";
import { type HeaderEdit, newDataKey, newServiceKey } from "./header-edits.ts";
import { createKdf, type DerivedKeys, deriveKeys, equalBytes, type Kdf } from "./key-derivation.ts";
import { type CurrentRecord, deriveMacKey, macOf } from "./record-fields.ts";

/** The opened keys of one header. */
export interface Keyring {
  /** The header as it is stored. */
  readonly text: string;
  readonly header: StoreHeader;
  /** Where the master key came from. */
  readonly source: string;
  /** The name of the master key: 16 hexadecimal digits, also where the header is too old to have it. */
  readonly fingerprint: string;
  /** Counts the rotations of the store; 0 in a header of format 1. */
  readonly epoch: number;
  /**
   * Seals new records.
   *
   * @throws AutokestraError `KEY_MISSING` once the keyring is closed: nothing may be sealed under a key that was wiped
   */
  readonly active: DataKey;
  /** The data key with this id, or null where there is none or it was destroyed. @throws as `active` */
  find(keyId: string): DataKey | null;
  /** True where this service key is here and may verify. */
  hasServiceKey(keyId: string): boolean;
  /** The MAC of a current version: `keyId:base64`. Only in a header of format 2. @throws as `active` */
  authenticate(record: CurrentRecord): string;
  /**
   * True where this is the MAC of the current version. That of a deleted secret may be the one from before its deletion, as a
   * secret can be deleted without its key. In a header of format 1 there is no MAC, and none is asked for.
   *
   * @throws as `active`
   */
  checkMac(record: CurrentRecord, mac: string | null): boolean;
  /** The keyring of a later header under the same master key; null where the master key is another one. */
  follow(text: string): Keyring | null;
  /** The keyring of an edited header under the same master key. The store has it only once it is written there. */
  change(edit: HeaderEdit): Keyring;
  /** The same keys under another master key, in the next epoch. */
  rewrap(kdf: Kdf, keys: DerivedKeys, source: string): Keyring;
  /** Overwrites the keys with zeros. Copies that Node or the system made are beyond reach. */
  close(): void;
}

/**
 * Makes the keyring of a new store: one data key, of which `seals` are reserved, and one service key.
 *
 * @throws AutokestraError those of the master key
 */
export async function createKeyring(master: MasterKey, seals: number): Promise<Keyring> {
  const { kdf, keys } = await deriveNewKeys(master);
  const storeId = randomUUID();
  const wrapper = createKeyWrapper(keys.keyEncryptionKey, storeId);
  const header: StoreHeader = {
    format: HEADER_FORMAT,
    storeId,
    epoch: 1,
    fingerprint: keys.fingerprint,
    kdf,
    dataKeys: [newDataKey(wrapper, seals)],
    serviceKeys: [newServiceKey(wrapper)],
    keyCheck: keys.keyCheck.toString("base64"),
    extensions: [],
  };
  const keyring = writeKeyring(header, keys, master.source);
  wipeDerived(keys);
  return keyring;
}

/** What a master key gives for a store that it does not open yet, under a fresh salt. To be wiped by the caller. */
export async function deriveNewKeys(master: MasterKey): Promise<{ kdf: Kdf; keys: DerivedKeys }> {
  const stretching = await master.stretchingForNewStore();
  const bytes = await master.bytes(stretching);
  if (bytes === null) throw new AutokestraError("KEY_INVALID", `The master key from ${master.source} cannot be used`);
  const kdf = createKdf(stretching);
  const keys = deriveKeys(kdf, bytes);
  bytes.fill(0);
  return { kdf, keys };
}

/**
 * Opens the keys of a header with what a master key gives, of which it keeps copies.
 *
 * @returns null where the master key is not the one of this header
 * @throws AutokestraError `INTEGRITY_FAILED` where somebody without the key has changed the header
 */
export function openKeyring(text: string, read: ReadHeader, keys: DerivedKeys, source: string): Keyring | null {
  const keyCheck = Buffer.from(read.header.keyCheck, "base64");
  if (equalBytes(keyCheck, keys.keyCheck)) return verified(text, read, keys, source);
  // The header names this very key, but not what follows from it: its salt or its check value was changed.
  if (read.header.fingerprint === keys.fingerprint) throw headerTampered();
  return null;
}

function verified(text: string, read: ReadHeader, keys: DerivedKeys, source: string): Keyring {
  const { fingerprint } = read.header;
  const isRight = verifyHeader(read, keys.headerKey) && (fingerprint === null || fingerprint === keys.fingerprint);
  if (!isRight) throw headerTampered();
  return toKeyring(text, read.header, keys, source);
}

/** Reads what it has written: a header that cannot be read would lock everybody out. */
function writeKeyring(header: StoreHeader, keys: DerivedKeys, source: string): Keyring {
  const text = formatHeader(header, keys.headerKey);
  return verified(text, parseHeader(text), keys, source);
}

/** @param derived is copied: each keyring has, and wipes, its own */
function toKeyring(text: string, header: StoreHeader, derived: DerivedKeys, source: string): Keyring {
  const { storeId } = header;
  const keys = copyDerived(derived);
  const wrapper = createKeyWrapper(keys.keyEncryptionKey, storeId);
  const { dataKeys, serviceKeys, active, authenticator } = unwrapKeys(header, wrapper);
  let closed = false;

  function whileOpen<T>(value: T): T {
    if (closed) throw keysClosed();
    return value;
  }

  return {
    text,
    header,
    source,
    fingerprint: keys.fingerprint,
    epoch: header.epoch,
    get active() {
      return whileOpen(active);
    },
    find: (keyId) => whileOpen(dataKeys).find(({ id }) => id === keyId) ?? null,
    hasServiceKey: (keyId) => serviceKeys.some(({ id }) => id === keyId),
    authenticate(record) {
      if (authenticator === null) throw new Error("a header of format 1 authenticates no records");
      const { id, macKey } = whileOpen(authenticator);
      return `${id}:${macOf(macKey, record, record.metadata.deletedAt)}`;
    },
    checkMac(record, mac) {
      if (header.format === 1) return mac === null;
      const key = whileOpen(serviceKeys).find(({ id }) => mac?.startsWith(`${id}:`));
      return key !== undefined && mac !== null && isMacOf(key, record, mac);
    },
    follow(later) {
      const read = parseHeader(later);
      const isSame = read.header.keyCheck === header.keyCheck && read.header.storeId === storeId;
      return isSame ? verified(later, read, whileOpen(keys), source) : null;
    },
    change: (edit) => writeKeyring(edit(header, whileOpen(wrapper)), keys, source),
    rewrap: (kdf, newKeys, newSource) =>
      writeKeyring(rewrapped(header, kdf, newKeys, whileOpen({ dataKeys, serviceKeys })), newKeys, newSource),
    close() {
      closed = true;
      for (const { bytes } of [...dataKeys, ...serviceKeys]) bytes.fill(0);
      for (const { macKey } of serviceKeys) macKey.fill(0);
      wipeDerived(keys);
    },
  };
}

/** A service key, and the key of the MACs that follows from it. */
interface MacKey extends ServiceKey {
  readonly macKey: Buffer;
}

interface OpenedKeys {
  readonly dataKeys: readonly DataKey[];
  readonly serviceKeys: readonly MacKey[];
}

function unwrapKeys(
  header: StoreHeader,
  wrapper: KeyWrapper,
): OpenedKeys & { readonly active: DataKey; readonly authenticator: MacKey | null } {
  const dataKeys = header.dataKeys.flatMap(({ id, format, wrapped }) =>
    wrapped === null ? [] : [wrapper.unwrapDataKey(id, format, wrapped) ?? tampered()],
  );
  const serviceKeys = header.serviceKeys.flatMap(({ id, wrapped }) => {
    if (wrapped === null) return [];
    const key = wrapper.unwrapServiceKey(id, wrapped) ?? tampered();
    return [{ ...key, macKey: deriveMacKey(key.bytes, header.storeId) }];
  });
  const activeId = header.dataKeys.find(({ state }) => state === "active")?.id;
  const serviceId = header.serviceKeys.find(({ state }) => state === "active")?.id;
  return {
    dataKeys,
    serviceKeys,
    active: dataKeys.find(({ id }) => id === activeId) ?? tampered(),
    authenticator: serviceKeys.find(({ id }) => id === serviceId) ?? null,
  };
}

/** What was opened under one master key, wrapped under another, which begins the next epoch. */
function rewrapped(header: StoreHeader, kdf: Kdf, keys: DerivedKeys, opened: OpenedKeys): StoreHeader {
  const wrapper = createKeyWrapper(keys.keyEncryptionKey, header.storeId);
  const dataKeys = new Map(opened.dataKeys.map((key) => [key.id, wrapper.wrapDataKey(key)]));
  const serviceKeys = new Map(opened.serviceKeys.map((key) => [key.id, wrapper.wrapServiceKey(key)]));
  return {
    ...header,
    epoch: header.epoch + 1,
    fingerprint: keys.fingerprint,
    kdf,
    dataKeys: header.dataKeys.map((entry) => ({ ...entry, wrapped: dataKeys.get(entry.id) ?? null })),
    serviceKeys: header.serviceKeys.map((entry) => ({ ...entry, wrapped: serviceKeys.get(entry.id) ?? null })),
    keyCheck: keys.keyCheck.toString("base64"),
  };
}

function isMacOf({ id, macKey }: MacKey, record: CurrentRecord, mac: string): boolean {
  const given = Buffer.from(mac.slice(id.length + 1));
  const { deletedAt } = record.metadata;
  return (
    equalBytes(given, Buffer.from(macOf(macKey, record, deletedAt))) ||
    (deletedAt !== null && equalBytes(given, Buffer.from(macOf(macKey, record, null))))
  );
}

function copyDerived(keys: DerivedKeys): DerivedKeys {
  const { keyEncryptionKey, headerKey } = keys;
  return { ...keys, keyEncryptionKey: Buffer.from(keyEncryptionKey), headerKey: Buffer.from(headerKey) };
}

/** Overwrites what a master key gave for one store. */
export function wipeDerived({ keyEncryptionKey, headerKey }: DerivedKeys): void {
  keyEncryptionKey.fill(0);
  headerKey.fill(0);
}

export function keysClosed(): AutokestraError {
  return new AutokestraError("KEY_MISSING", "The keys are closed");
}

function tampered(): never {
  throw headerTampered();
}

/** A header that nobody with its key can have written, or that was put back. */
export function headerTampered(): AutokestraError {
  return new AutokestraError(
    "INTEGRITY_FAILED",
    "The header of the secret store was changed by someone without its key",
    { hint: "Restore the store from a backup." },
  );
}

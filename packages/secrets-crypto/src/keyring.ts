import { randomUUID } from "node:crypto";
import { AutokestraError, type MasterKey } from "@autokestra/secrets-core";
import { createKeyWrapper, type DataKey, type KeyWrapper, type ServiceKey } from "./data-key.ts";
import type { Fields } from "./encode-fields.ts";
import { formatHeader, HEADER_FORMAT, parseHeader, type ReadHeader, type StoreHeader, verifyHeader } from "./header.ts";
import { type HeaderEdit, newDataKey, newServiceKey } from "./header-edits.ts";
import { createKdf, type DerivedKeys, deriveKeys, equalBytes, type Kdf } from "./key-derivation.ts";
import { type CurrentRecord, deriveMacKey, type MacPurpose, macOf, macOfFields } from "./record-fields.ts";

/** The opened keys of one header. */
export interface Keyring {
  /** The header as it is stored. */
  readonly text: string;
  readonly header: StoreHeader;
  /** Where the master key came from. */
  readonly source: string;
  /** The name of the master key: 16 hexadecimal digits, also if the header is too old to contain it. */
  readonly fingerprint: string;
  /** Counts the rotations of the store; 0 in a header of format 1. */
  readonly epoch: number;
  /**
   * The data key for new records.
   *
   * @throws AutokestraError `KEY_MISSING` once the keyring is closed: nothing may be encrypted under a key that was
   * wiped
   */
  readonly active: DataKey;
  /** Returns the data key with this id, or null if it does not exist or was destroyed. @throws as `active` */
  find(keyId: string): DataKey | null;
  /** Does the keyring have this service key for verifying? */
  hasServiceKey(keyId: string): boolean;
  /** Returns the MAC of a current version: `keyId:base64`. Not for a header of format 1. @throws as `active` */
  authenticate(record: CurrentRecord): string;
  /**
   * Tells whether this is the MAC of the current version. A deleted secret may have the MAC from before its deletion,
   * because deleting needs no key. Under a header of format 1 there are no MACs, and the MAC must be null.
   *
   * @throws as `active`
   */
  checkMac(record: CurrentRecord, mac: string | null): boolean;
  /**
   * Returns the MAC of a list of fields that belong together, under a key for this purpose alone: `keyId:base64`. It stays
   * valid through every rotation. Not for a header of format 1. @throws as `active`
   */
  authenticateFields(purpose: MacPurpose, fields: Fields): string;
  /** Tells whether this is the MAC of the fields. False for a service key that the keyring does not have. @throws as `active` */
  checkFields(purpose: MacPurpose, fields: Fields, mac: string): boolean;
  /**
   * Returns a service key to derive others from.
   *
   * @param keyId Default: the active one
   * @returns null if there is none, as in a header of format 1
   * @throws as `active`
   */
  serviceKey(keyId?: string): ServiceKey | null;
  /** Returns the keyring of a later header under the same master key; null if the master key is another one. */
  follow(text: string): Keyring | null;
  /** Returns the keyring of an edited header under the same master key. The caller writes the header to the store. */
  change(edit: HeaderEdit): Keyring;
  /** Returns the same keys under another master key, in the next epoch. The caller writes the header to the store. */
  rewrap(kdf: Kdf, keys: DerivedKeys, source: string): Keyring;
  /** Overwrites the keys with zeros, except for copies that Node.js or the system has made. */
  close(): void;
}

/**
 * Creates the keyring of a new store: one data key, with this many reserved encryptions, and one service key.
 *
 * @throws AutokestraError those of the master key
 */
export async function createKeyring(master: MasterKey, reserved: number): Promise<Keyring> {
  const { kdf, keys } = await deriveNewKeys(master);
  const storeId = randomUUID();
  const wrapper = createKeyWrapper(keys.keyEncryptionKey, storeId);
  const header: StoreHeader = {
    format: HEADER_FORMAT,
    storeId,
    epoch: 1,
    fingerprint: keys.fingerprint,
    kdf,
    dataKeys: [newDataKey(wrapper, reserved)],
    serviceKeys: [newServiceKey(wrapper)],
    keyCheck: keys.keyCheck.toString("base64"),
    extensions: [],
  };
  const keyring = writeKeyring(header, keys, master.source);
  wipeDerived(keys);
  return keyring;
}

/** Derives the keys of a store from a new master key, with a fresh salt. The caller wipes them. */
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
 * Opens the keys of a header with the keys derived from a master key, of which it keeps copies.
 *
 * @returns null if the master key is not the one of this header
 * @throws AutokestraError `INTEGRITY_FAILED` if somebody without the key has changed the header
 */
export function openKeyring(text: string, read: ReadHeader, keys: DerivedKeys, source: string): Keyring | null {
  const keyCheck = Buffer.from(read.header.keyCheck, "base64");
  if (equalBytes(keyCheck, keys.keyCheck)) return verified(text, read, keys, source);
  // The header names this master key, but its salt or its check value does not match: somebody has changed it.
  if (read.header.fingerprint === keys.fingerprint) throw headerTampered();
  return null;
}

function verified(text: string, read: ReadHeader, keys: DerivedKeys, source: string): Keyring {
  const { fingerprint } = read.header;
  const isRight = verifyHeader(read, keys.headerKey) && (fingerprint === null || fingerprint === keys.fingerprint);
  if (!isRight) throw headerTampered();
  return toKeyring(text, read.header, keys, source);
}

/** Writes a header and reads it back: a header that cannot be read would lock everybody out. */
function writeKeyring(header: StoreHeader, keys: DerivedKeys, source: string): Keyring {
  const text = formatHeader(header, keys.headerKey);
  return verified(text, parseHeader(text), keys, source);
}

/** @param derived is copied, because each keyring wipes its own keys */
function toKeyring(text: string, header: StoreHeader, derived: DerivedKeys, source: string): Keyring {
  const { storeId } = header;
  const keys = copyDerived(derived);
  const wrapper = createKeyWrapper(keys.keyEncryptionKey, storeId);
  const { dataKeys, serviceKeys, active, authenticator } = unwrapKeys(header, wrapper);
  const fieldMacs = new FieldMacs(storeId);
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
    authenticateFields(purpose, fields) {
      if (authenticator === null) throw new Error("a header of format 1 authenticates nothing");
      return fieldMacs.of(purpose, whileOpen(authenticator), fields);
    },
    checkFields(purpose, fields, mac) {
      const key = whileOpen(serviceKeys).find(({ id }) => mac.startsWith(`${id}:`));
      return key !== undefined && equalBytes(Buffer.from(mac), Buffer.from(fieldMacs.of(purpose, key, fields)));
    },
    serviceKey: (keyId = authenticator?.id) => whileOpen(serviceKeys).find(({ id }) => id === keyId) ?? null,
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
      fieldMacs.wipe();
      wipeDerived(keys);
    },
  };
}

/** MACs of fields, whose keys are derived when they are first used. */
class FieldMacs {
  readonly #storeId: string;
  readonly #keys = new Map<string, Buffer>();

  constructor(storeId: string) {
    this.#storeId = storeId;
  }

  /** Returns `keyId:base64`. */
  of(purpose: MacPurpose, key: ServiceKey, fields: Fields): string {
    return `${key.id}:${macOfFields(this.#keyFor(purpose, key), fields)}`;
  }

  wipe(): void {
    for (const key of this.#keys.values()) key.fill(0);
  }

  #keyFor(purpose: MacPurpose, { id, bytes }: ServiceKey): Buffer {
    const known = this.#keys.get(`${purpose} ${id}`);
    if (known !== undefined) return known;
    const key = deriveMacKey(bytes, this.#storeId, purpose);
    this.#keys.set(`${purpose} ${id}`, key);
    return key;
  }
}

/** A service key, and the key of the MACs that is derived from it. */
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
    return [{ ...key, macKey: deriveMacKey(key.bytes, header.storeId, "record") }];
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

/** Wraps opened keys under another master key, which begins the next epoch. */
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

/** Overwrites the keys that were derived from a master key. */
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

/** The error for a header that was changed by somebody without its key, or that was put back. */
export function headerTampered(): AutokestraError {
  return new AutokestraError(
    "INTEGRITY_FAILED",
    "The header of the secret store was changed by someone without its key",
    { hint: "Restore the store from a backup." },
  );
}

import { createDataKey, createServiceKey, type KeyWrapper } from "./data-key.ts";
import { HEADER_FORMAT, type HeaderKey, type HeaderServiceKey, type StoreHeader } from "./header.ts";

/** Creates a later header of the same store under the same master key. */
export type HeaderEdit = (header: StoreHeader, wrapper: KeyWrapper) => StoreHeader;

/** Creates an active data key for the header, with this many reserved encryptions. */
export function newDataKey(wrapper: KeyWrapper, reserved: number): HeaderKey {
  const key = createDataKey();
  const wrapped = wrapper.wrapDataKey(key);
  key.bytes.fill(0);
  const createdAt = new Date().toISOString();
  return { id: key.id, state: "active", createdAt, seals: reserved, wrapped, format: key.format, namespace: null };
}

/** Creates an active service key for the header. */
export function newServiceKey(wrapper: KeyWrapper): HeaderServiceKey {
  const key = createServiceKey();
  const wrapped = wrapper.wrapServiceKey(key);
  key.bytes.fill(0);
  return { id: key.id, state: "active", wrapped };
}

/** Begins the next epoch, so that an older header can be recognised. */
export const nextEpoch: HeaderEdit = (header) => ({ ...header, epoch: header.epoch + 1 });

/**
 * Adds an active data key. The previous one still decrypts its records. The epoch stays the same: the previous header
 * cannot decrypt the first record under the new key, and no key has been destroyed yet.
 */
export function addDataKey(reserved: number): HeaderEdit {
  return (header, wrapper) => ({
    ...header,
    dataKeys: [...retired(header.dataKeys), newDataKey(wrapper, reserved)],
  });
}

/**
 * Upgrades a header from format 1 to 2 under the same master key. It gets a service key and a new data key, so that no
 * record of format 1 can be decrypted once the older data keys are destroyed.
 */
export function upgradeHeader(fingerprint: string, reserved: number): HeaderEdit {
  return (header, wrapper) => ({
    ...header,
    format: HEADER_FORMAT,
    epoch: 1,
    fingerprint,
    dataKeys: [...retired(header.dataKeys), newDataKey(wrapper, reserved)],
    serviceKeys: [newServiceKey(wrapper)],
  });
}

/** Reserves encryptions under the active data key, or under a new one if it would make more than `max`. */
export function reserveEncryptions(count: number, max: number): HeaderEdit {
  return (header, wrapper) => {
    const used = header.dataKeys.find(({ state }) => state === "active")?.seals ?? 0;
    if (used + count > max) return addDataKey(count)(header, wrapper);
    const dataKeys = header.dataKeys.map((key) =>
      key.state === "active" ? { ...key, seals: key.seals + count } : key,
    );
    return { ...header, dataKeys };
  };
}

/**
 * Destroys data keys that are not active, at the end of a rotation of the data key. It begins the next epoch, because
 * an older header would bring them back.
 */
export function destroyDataKeys(keyIds: readonly string[]): HeaderEdit {
  return (header) => {
    const destroyed = header.dataKeys.filter(({ id, state }) => keyIds.includes(id) && state === "decrypt-only");
    if (destroyed.length === 0) return header;
    const dataKeys = header.dataKeys.map((key) =>
      destroyed.includes(key) ? { ...key, state: "destroyed" as const, wrapped: null } : key,
    );
    return { ...header, epoch: header.epoch + 1, dataKeys };
  };
}

function retired(keys: readonly HeaderKey[]): readonly HeaderKey[] {
  return keys.map((key) => (key.state === "active" ? { ...key, state: "decrypt-only" as const } : key));
}

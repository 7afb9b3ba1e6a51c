import { createDataKey, createServiceKey, type KeyWrapper } from "./data-key.ts";
import { HEADER_FORMAT, type HeaderKey, type HeaderServiceKey, type StoreHeader } from "./header.ts";

/** Makes a later header of one store under the same master key. */
export type HeaderEdit = (header: StoreHeader, wrapper: KeyWrapper) => StoreHeader;

/** A fresh data key as the header keeps it, active, of which `seals` are reserved. */
export function newDataKey(wrapper: KeyWrapper, seals: number): HeaderKey {
  const key = createDataKey();
  const wrapped = wrapper.wrapDataKey(key);
  key.bytes.fill(0);
  const createdAt = new Date().toISOString();
  return { id: key.id, state: "active", createdAt, seals, wrapped, format: key.format, namespace: null };
}

/** A fresh service key as the header keeps it, active. */
export function newServiceKey(wrapper: KeyWrapper): HeaderServiceKey {
  const key = createServiceKey();
  const wrapped = wrapper.wrapServiceKey(key);
  key.bytes.fill(0);
  return { id: key.id, state: "active", wrapped };
}

/** The next epoch: an older header can be told from this one. */
export const nextEpoch: HeaderEdit = (header) => ({ ...header, epoch: header.epoch + 1 });

/**
 * Adds an active data key; the one before opens what it has sealed. No epoch begins: the header from before is missed by the first
 * record that is sealed under the new key, and no key has been given up yet.
 */
export function addDataKey(seals: number): HeaderEdit {
  return (header, wrapper) => ({
    ...header,
    dataKeys: [...retired(header.dataKeys), newDataKey(wrapper, seals)],
  });
}

/**
 * From format 1 to 2, under the keys that follow from the same master key: with a service key, and a data key of its own, so that
 * no record of format 1 opens once the older data keys are gone.
 */
export function upgradeHeader(fingerprint: string, seals: number): HeaderEdit {
  return (header, wrapper) => ({
    ...header,
    format: HEADER_FORMAT,
    epoch: 1,
    fingerprint,
    dataKeys: [...retired(header.dataKeys), newDataKey(wrapper, seals)],
    serviceKeys: [newServiceKey(wrapper)],
  });
}

/** Reserves seals of the active data key, or of a new one where they would be too many under one key. */
export function reserveSeals(seals: number, most: number): HeaderEdit {
  return (header, wrapper) => {
    const used = header.dataKeys.find(({ state }) => state === "active")?.seals ?? 0;
    if (used + seals > most) return addDataKey(seals)(header, wrapper);
    const dataKeys = header.dataKeys.map((key) =>
      key.state === "active" ? { ...key, seals: key.seals + seals } : key,
    );
    return { ...header, dataKeys };
  };
}

/**
 * Gives up data keys that are not active, which ends a rotation of the data key and begins the next epoch: a header from before would
 * bring them back.
 */
export function destroyDataKeys(keyIds: readonly string[]): HeaderEdit {
  return (header) => {
    const given = header.dataKeys.filter(({ id, state }) => keyIds.includes(id) && state === "decrypt-only");
    if (given.length === 0) return header;
    const dataKeys = header.dataKeys.map((key) =>
      given.includes(key) ? { ...key, state: "destroyed" as const, wrapped: null } : key,
    );
    return { ...header, epoch: header.epoch + 1, dataKeys };
  };
}

function retired(keys: readonly HeaderKey[]): readonly HeaderKey[] {
  return keys.map((key) => (key.state === "active" ? { ...key, state: "decrypt-only" as const } : key));
}

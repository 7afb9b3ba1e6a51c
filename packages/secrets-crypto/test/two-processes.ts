import { createMemoryStore, type EncryptedSecret, type SecretStore } from "@autokestra/secrets-core";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import { createKeyManager, type HeaderStore, type KeyManager } from "../src/index.ts";
import { makeHeaderV1, type RawHeader } from "./by-hand.ts";
import { KeyPlace } from "./test-keys.ts";

/** The master key 1. */
export const ONE: Buffer = Buffer.alloc(32, 1);

/** Two processes on one store. */
export function createTwo(store: SecretStore = createMemoryStore()): {
  store: SecretStore;
  place: KeyPlace;
  one: KeyManager;
  two: KeyManager;
} {
  const place = new KeyPlace(1);
  return { store, place, one: createKeyManager(store, place), two: createKeyManager(store, place) };
}

/** The same with keys. */
export async function createTwoUsed(): Promise<ReturnType<typeof createTwo>> {
  const two = createTwo();
  await createKeyManager(two.store, two.place).forEncrypt(1);
  two.place.searches = 0;
  return two;
}

/** A store of version 1, and its header. */
export function storeV1(secrets: readonly EncryptedSecret[] = [sampleSecret("A"), sampleSecret("B")]): {
  store: SecretStore;
  header: RawHeader;
} {
  const header = makeHeaderV1(ONE);
  return { store: createMemoryStore({ layout: 1, header: JSON.stringify(header), secrets }), header };
}

export async function readHeader(store: HeaderStore): Promise<RawHeader> {
  return JSON.parse((await store.readHeader()) ?? "");
}

export async function activeSeals(store: HeaderStore): Promise<number | undefined> {
  return (await readHeader(store)).dataKeys.find(({ state }) => state === "active")?.seals;
}

/** The same store, of which each call of these methods is told before it begins. */
export function spied(store: SecretStore, before: (method: string) => Promise<void>): SecretStore {
  return {
    ...store,
    readHeader: async () => {
      await before("readHeader");
      return await store.readHeader();
    },
    writeHeader: async (...given) => {
      await before("writeHeader");
      return await store.writeHeader(...given);
    },
    upgrade: async (...given) => {
      await before("upgrade");
      return await store.upgrade(...given);
    },
    ids: async (...given) => {
      await before("ids");
      return await store.ids(...given);
    },
  };
}

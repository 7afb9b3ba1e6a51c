import { createMemoryStore, type SecretStore } from "@autokestra/secrets-core";
import { describe, expect, it } from "vitest";
import { createKeyManager, type KeyManager, type RememberedStore, type StoreMemory } from "../src/index.ts";
import { makeHeaderV1 } from "./by-hand.ts";
import { KeyPlace, testKey } from "./test-keys.ts";

/** A memory that keeps what it is told, in the order in which it is told it. */
class TestMemory implements StoreMemory {
  known: RememberedStore | null = null;
  readonly told: Pick<RememberedStore, "storeId" | "epoch" | "fingerprint">[] = [];

  async recall(): Promise<RememberedStore | null> {
    return this.known;
  }

  async forget(): Promise<void> {
    this.known = null;
  }

  async remember(store: Pick<RememberedStore, "storeId" | "epoch" | "fingerprint">): Promise<void> {
    this.told.push(store);
    const left = this.known === null ? [] : [...this.known.left, this.known.fingerprint];
    this.known = {
      ...store,
      left: left.filter((one) => one !== store.fingerprint),
      openedAt: "2026-03-04T05:06:07.890Z",
    };
  }
}

/** A store that was rotated from key 1 to key 2, with the header from before. */
async function createRotated(): Promise<{ store: SecretStore; memory: TestMemory; keys: KeyManager; old: string }> {
  const store = createMemoryStore();
  const memory = new TestMemory();
  const keys = createKeyManager(store, new KeyPlace(1), { memory });
  const { text: old } = await keys.forEncrypt(1);
  await keys.rotateMasterKey(testKey(2));
  return { store, memory, keys, old };
}

async function putBack(store: SecretStore, header: string): Promise<void> {
  await store.writeHeader(header, await store.readHeader());
}

it("is told of each header that was written, and of none that was read", async () => {
  const store = createMemoryStore();
  const memory = new TestMemory();
  const keys = createKeyManager(store, new KeyPlace(1), { memory });
  const { header, fingerprint } = await keys.forEncrypt(1);
  expect(memory.told).toEqual([{ storeId: header.storeId, epoch: 1, fingerprint }]);
  await keys.forEncrypt(5000);
  await keys.nextEpoch();
  const { fingerprint: next } = await keys.rotateMasterKey(testKey(2));
  expect(memory.told.map(({ epoch }) => epoch)).toEqual([1, 1, 2, 3]);
  expect(memory.told.at(-1)?.fingerprint).toBe(next);
  const reader = createKeyManager(store, new KeyPlace(2), { memory });
  await reader.keyring();
  await reader.forEncrypt(0);
  expect(memory.told).toHaveLength(4);
});

it("is told of an upgrade", async () => {
  const memory = new TestMemory();
  const store = createMemoryStore({ layout: 1, header: JSON.stringify(makeHeaderV1(Buffer.alloc(32, 1))) });
  await createKeyManager(store, new KeyPlace(1), { memory }).forEncrypt(0);
  expect(memory.told).toMatchObject([{ epoch: 1 }]);
});

describe("a key that was only found opens no", () => {
  it("header of an earlier epoch, and says what was last opened and what is there", async () => {
    const { store, memory, old } = await createRotated();
    await putBack(store, old);
    const known = memory.known;
    const error = createKeyManager(store, new KeyPlace(1), { memory }).keyring();
    await expect(error).rejects.toMatchObject({
      code: "STORE_ROLLED_BACK",
      message: expect.stringContaining(`2026-03-04T05:06:07.890Z with the key ${known?.fingerprint}`),
      hint: expect.stringContaining("explicitly"),
    });
    const made = JSON.parse(old).dataKeys[0].createdAt;
    await expect(error).rejects.toThrow(new RegExp(`its key is ${JSON.parse(old).fingerprint}.* ${made}$`));
    expect(memory.known).toBe(known);
  });

  it("header of version 1 of a store that was upgraded", async () => {
    const header = JSON.stringify(makeHeaderV1(Buffer.alloc(32, 1)));
    const memory = new TestMemory();
    await createKeyManager(createMemoryStore({ layout: 1, header }), new KeyPlace(1), { memory }).forEncrypt(0);
    const again = createMemoryStore({ layout: 1, header });
    const keys = createKeyManager(again, new KeyPlace(1), { memory });
    await expect(keys.keyring()).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
    await expect(keys.forEncrypt(0)).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
  });

  it("header under a key that the store has left, whatever epoch its owner gives it", async () => {
    const { store, memory, old } = await createRotated();
    await putBack(store, old);
    const thief = createKeyManager(store, new KeyPlace(1));
    for (let epoch = 1; epoch < 5; epoch++) await thief.nextEpoch();
    await expect(createKeyManager(store, new KeyPlace(1), { memory }).keyring()).rejects.toMatchObject({
      code: "STORE_ROLLED_BACK",
    });
  });

  it("other store at a known path", async () => {
    const { memory } = await createRotated();
    const other = createMemoryStore();
    await createKeyManager(other, new KeyPlace(1)).forEncrypt(1);
    await expect(createKeyManager(other, new KeyPlace(1), { memory }).keyring()).rejects.toMatchObject({
      code: "STORE_ROLLED_BACK",
    });
  });

  it("older header that is put back while the process runs", async () => {
    const store = createMemoryStore();
    const memory = new TestMemory();
    const keys = createKeyManager(store, new KeyPlace(1), { memory });
    const { text } = await keys.forEncrypt(1);
    await keys.nextEpoch();
    await putBack(store, text);
    await expect(keys.keyring()).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
  });
});

describe("a key opens all the same", () => {
  it("where it is given", async () => {
    const { store, memory, old } = await createRotated();
    await putBack(store, old);
    const place = new KeyPlace(1);
    place.isGiven = true;
    expect((await createKeyManager(store, place, { memory }).keyring()).text).toBe(old);
  });

  it("where nothing is known of the path", async () => {
    const { store } = await createRotated();
    expect((await createKeyManager(store, new KeyPlace(2), { memory: new TestMemory() }).keyring()).epoch).toBe(2);
  });

  it("where another store was made at the path, and the process died before that was remembered", async () => {
    const { memory } = await createRotated();
    const store = createMemoryStore();
    const dying: StoreMemory = {
      recall: async () => await memory.recall(),
      forget: async () => await memory.forget(),
      remember: async () => await Promise.reject(new Error("killed")),
    };
    await expect(createKeyManager(store, new KeyPlace(2), { memory: dying }).forEncrypt(1)).rejects.toThrow("killed");
    expect((await createKeyManager(store, new KeyPlace(2), { memory }).forEncrypt(1)).epoch).toBe(1);
    expect(memory.known).toMatchObject({ epoch: 1, left: [] });
  });

  it("where the store has come back to it by a rotation", async () => {
    const { store, memory, keys } = await createRotated();
    await keys.rotateMasterKey(testKey(1));
    expect((await createKeyManager(store, new KeyPlace(1), { memory }).keyring()).epoch).toBe(3);
  });

  it("where a rotation is remembered between the looks at the header and at the memory", async () => {
    const store = createMemoryStore();
    const memory = new TestMemory();
    const writer = createKeyManager(store, new KeyPlace(1), { memory });
    await writer.forEncrypt(1);
    let isRotated = false;
    const slow: StoreMemory = {
      remember: async () => undefined,
      forget: async () => undefined,
      async recall() {
        if (!isRotated) await writer.nextEpoch();
        isRotated = true;
        return await memory.recall();
      },
    };
    expect((await createKeyManager(store, new KeyPlace(1), { memory: slow }).keyring()).epoch).toBe(2);
  });
});

import {
  createMemoryStore,
  type MasterKey,
  type MasterKeyProvider,
  type PendingKey,
  type SecretStore,
} from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { describe, expect, it } from "vitest";
import { createStoreKeys, MAX_SEALS, type StoreKeys } from "../src/index.ts";

function masterKey(byte: number): MasterKey {
  return { source: `KEY${byte}`, otherSource: null, kind: "bytes", material: Buffer.alloc(32, byte) };
}

/** A place for keys that the test can change: as a key file is changed by another process. */
class KeyPlace implements MasterKeyProvider {
  loads = 0;
  byte: number;
  waiting: number[] = [];

  constructor(byte: number) {
    this.byte = byte;
  }

  async load(): Promise<MasterKey> {
    this.loads += 1;
    return masterKey(this.byte);
  }

  async generate(): Promise<MasterKey> {
    return masterKey(this.byte);
  }

  async pending(): Promise<PendingKey[]> {
    return this.waiting.map((byte) => ({
      key: masterKey(byte),
      promote: async () => {
        this.byte = byte;
      },
    }));
  }
}

function activeSeals(text: string | null): number {
  const { dataKeys } = JSON.parse(text ?? "");
  return dataKeys.find((key: { state: string }) => key.state === "active").seals;
}

/** Two processes on one store. */
function createTwo(): { store: SecretStore; place: KeyPlace; one: StoreKeys; two: StoreKeys } {
  const store = createMemoryStore();
  const place = new KeyPlace(1);
  return { store, place, one: createStoreKeys(store, place), two: createStoreKeys(store, place) };
}

describe("createStoreKeys", () => {
  it("asks for the master key once, however many ask for the keys at once", async () => {
    const { one, place } = createTwo();
    expect(place.loads).toBe(0);
    const rings = await Promise.all([one.current(), one.forSeal(), one.forOpen("00000000"), one.current()]);
    expect(place.loads).toBe(1);
    expect(new Set(rings).size).toBe(1);
  });

  it("reserves seals in steps, for each process its own, before it makes one", async () => {
    const { store, one, two } = createTwo();
    await one.forSeal();
    expect(activeSeals(await store.readHeader())).toBe(4096);
    for (let seal = 1; seal < 4096; seal++) await one.forSeal();
    expect(activeSeals(await store.readHeader())).toBe(4096);
    await one.forSeal();
    expect(activeSeals(await store.readHeader())).toBe(8192);
    await two.forSeal();
    expect(activeSeals(await store.readHeader())).toBe(12_288);
  });

  it("goes on with a new data key long before one has made too many seals", async () => {
    const { store, place, one } = createTwo();
    const first = await one.current();
    const full = first.header.dataKeys.map((key) => ({ ...key, seals: MAX_SEALS - 10 }));
    await store.writeHeader(first.write(full), first.text);
    const later = createStoreKeys(store, place);
    const ring = await later.forSeal();
    expect(ring.active.id).not.toBe(first.active.id);
    expect(ring.header.dataKeys.map(({ state, seals }) => [state, seals])).toEqual([
      ["decrypt-only", MAX_SEALS - 10],
      ["active", 4096],
    ]);
    expect(ring.find(first.active.id)?.bytes.equals(first.active.bytes)).toBe(true);
    expect(MAX_SEALS).toBeLessThan(2 ** 32);
  });

  it("finds data keys that another process has made, without asking for the master key again", async () => {
    const { place, one, two } = createTwo();
    await one.current();
    await two.current();
    const { active } = await two.addDataKey();
    expect((await one.forOpen(active.id)).find(active.id)?.bytes.equals(active.bytes)).toBe(true);
    expect(place.loads).toBe(2);
  });

  it("takes the header and the first secret that another process makes while it looks for them", async () => {
    const { store, place, two } = createTwo();
    let looks = 0;
    const slow: SecretStore = {
      ...store,
      async readHeader() {
        const seen = await store.readHeader();
        looks += 1;
        if (looks === 1) {
          await two.current();
          await putSecret(store, sampleSecret("FIRST"));
        }
        return seen;
      },
    };
    expect((await createStoreKeys(slow, place).current()).text).toBe(await store.readHeader());
  });

  it("rotates the master key: the new one opens everything, the old one nothing", async () => {
    const { store, place, one, two } = createTwo();
    const before = await one.current();
    await two.current();
    const after = await one.rotateMasterKey(masterKey(2));
    expect(after.active.bytes.equals(before.active.bytes)).toBe(true);
    expect(after.header.storeId).toBe(before.header.storeId);
    expect(after.header.kdf.salt).not.toBe(before.header.kdf.salt);
    await expect(createStoreKeys(store, new KeyPlace(1)).current()).rejects.toMatchObject({ code: "KEY_WRONG" });
    expect((await createStoreKeys(store, new KeyPlace(2)).current()).active.bytes.equals(before.active.bytes)).toBe(
      true,
    );
    // A process that is still open takes the new key from where the old one was, and fails where it is not.
    await expect(two.current()).rejects.toMatchObject({ code: "KEY_WRONG" });
    place.byte = 2;
    expect((await two.current()).text).toBe(after.text);
  });

  it("takes the key of a rotation that was killed before it put the key in place", async () => {
    const { store, place, one } = createTwo();
    await one.current();
    await one.rotateMasterKey(masterKey(2));
    place.waiting = [7, 2];
    expect((await createStoreKeys(store, place).current()).source).toBe("KEY2");
    expect(place.byte).toBe(2);
  });

  it("lets two rotations and two writers at once all come to their end", async () => {
    const { store, one, two } = createTwo();
    await one.current();
    await Promise.all([
      one.addDataKey(),
      two.addDataKey(),
      one.forSeal(),
      two.forSeal(),
      one.addDataKey(),
      two.addDataKey(),
    ]);
    const { dataKeys } = JSON.parse((await store.readHeader()) ?? "");
    expect(dataKeys).toHaveLength(5);
    expect(dataKeys.filter((key: { state: string }) => key.state === "active")).toHaveLength(1);
  });

  it("destroys data keys, but never the active one", async () => {
    const { one } = createTwo();
    const { active: old } = await one.current();
    const { active } = await one.addDataKey();
    const after = await one.destroyDataKeys([old.id, active.id]);
    expect(after.find(old.id)).toBe(null);
    expect(after.find(active.id)).not.toBe(null);
    expect(after.header.dataKeys.map(({ state, wrapped }) => [state, wrapped === null])).toEqual([
      ["destroyed", true],
      ["active", false],
    ]);
  });

  it("overwrites every key it has opened", async () => {
    const { one } = createTwo();
    const first = await one.current();
    const second = await one.addDataKey();
    one.close();
    for (const ring of [first, second]) expect(ring.active.bytes.equals(Buffer.alloc(32))).toBe(true);
    await expect(one.current()).rejects.toMatchObject({ code: "KEY_MISSING" });
  });
});

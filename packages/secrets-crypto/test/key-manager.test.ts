import { createMemoryStore, type SecretStore } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { describe, expect, it } from "vitest";
import { createKeyManager, createSecretEncryption, type KeyManager } from "../src/index.ts";
import { MAX_ENCRYPTIONS } from "../src/internal.ts";
import { makeHeaderV1, type RawHeader, withMac } from "./by-hand.ts";
import { KeyPlace, testKey } from "./test-keys.ts";

import { activeSeals, createTwo, createTwoUsed, ONE, readHeader, storeV1 } from "./two-processes.ts";

describe("encrypting", () => {
  it("reserves encryptions in steps, for each process its own, before the first one", async () => {
    const { store, one, two } = createTwo();
    await one.forEncrypt(1);
    expect(await activeSeals(store)).toBe(4096);
    for (let seal = 1; seal < 4096; seal++) await one.forEncrypt(1);
    expect(await activeSeals(store)).toBe(4096);
    await one.forEncrypt(1);
    expect(await activeSeals(store)).toBe(8192);
    await two.forEncrypt(1);
    expect(await activeSeals(store)).toBe(12_288);
  });

  it("gives a batch of any size one keyring with enough reserved encryptions", async () => {
    const { store, one } = createTwo();
    await one.forEncrypt(10_000);
    expect(await activeSeals(store)).toBe(10_000);
    await one.forEncrypt(1);
    expect(await activeSeals(store)).toBe(14_096);
    await one.forEncrypt(4096);
    expect(await activeSeals(store)).toBe(18_192);
  });

  it("reserves all that batches at once ask for", async () => {
    const { store, one } = createTwo();
    const counts = Array.from({ length: 30 }, (_, index) => index * 300);
    const rings = await Promise.all(counts.map(async (count) => await one.forEncrypt(count)));
    expect(new Set(rings.map(({ active }) => active.id)).size).toBe(1);
    expect(await activeSeals(store)).toBeGreaterThanOrEqual(counts.reduce((sum, count) => sum + count));
  });

  it("makes header and key for a batch of none, and reserves nothing where there is one", async () => {
    const { store, one, two } = createTwo();
    await one.forEncrypt(0);
    const text = await store.readHeader();
    expect(text).not.toBe(null);
    await two.forEncrypt(0);
    expect(await store.readHeader()).toBe(text);
  });

  it("continues with a new data key long before one has encrypted too often", async () => {
    const { store, place, one } = await createTwoUsed();
    const first = await one.keyring();
    const full = first.change((header) => ({
      ...header,
      dataKeys: header.dataKeys.map((key) => ({ ...key, seals: MAX_ENCRYPTIONS - 10 })),
    }));
    await store.writeHeader(full.text, first.text);
    const ring = await createKeyManager(store, place).forEncrypt(1);
    expect(ring.active.id).not.toBe(first.active.id);
    expect([ring.epoch, ring.header.dataKeys.map(({ state, seals }) => [state, seals])]).toEqual([
      1,
      [
        ["decrypt-only", MAX_ENCRYPTIONS - 10],
        ["active", 4096],
      ],
    ]);
    expect(ring.find(first.active.id)?.bytes.equals(first.active.bytes)).toBe(true);
    expect(MAX_ENCRYPTIONS).toBeLessThan(2 ** 32);
  });

  it("drops what was reserved under a data key that another process has replaced", async () => {
    const { store, one, two } = await createTwoUsed();
    await one.forEncrypt(1);
    await two.addDataKey();
    await one.keyring();
    await one.forEncrypt(1);
    expect(await activeSeals(store)).toBe(4096);
  });
});

describe("the upgrade from format 1", () => {
  it.each([
    ["sealing", async (keys: KeyManager) => await keys.forEncrypt(1)],
    ["authenticating", async (keys: KeyManager) => await keys.forEncrypt(0)],
    ["rotating the master key", async (keys: KeyManager) => await keys.rotateMasterKey(testKey(2))],
    ["rotating the data key", async (keys: KeyManager) => await keys.addDataKey()],
    ["beginning an epoch", async (keys: KeyManager) => await keys.nextEpoch()],
  ])("comes before %s, with a mac for each secret", async (_, write) => {
    const { store, header } = storeV1();
    const { one } = createTwo(store);
    const ring = await write(one);
    expect([await store.layout(), ring.header.format, ring.header.storeId]).toEqual([2, 2, header.storeId]);
    expect(ring.header.dataKeys[0]).toMatchObject({ state: "decrypt-only", format: 1 });
    expect(ring.active.format).toBe(2);
    for (const id of await store.ids()) {
      const secret = await store.find(id);
      expect(secret !== null && ring.checkMac(secret, secret.mac)).toBe(true);
    }
  });

  it("keeps the keys that follow from the master key, begins with epoch 1 and knows the fingerprint", async () => {
    const { store, header } = storeV1();
    const { one, place } = createTwo(store);
    const { fingerprint } = await one.keyring();
    const ring = await one.forEncrypt(5000);
    expect(ring.header).toMatchObject({ epoch: 1, fingerprint, keyCheck: header.keyCheck, kdf: header.kdf });
    expect(ring.header.dataKeys.map(({ wrapped }) => wrapped)[0]).toBe(header.dataKeys[0]?.wrapped);
    expect(await activeSeals(store)).toBe(5000);
    expect(place.searches).toBe(1);
  });

  it("starts over if a process of version 1 reserves encryptions at the same time", async () => {
    const { store } = storeV1();
    let text = (await store.readHeader()) ?? "";
    let attempts = 0;
    // Version 1 writes headers of format 1, which this memory store does not take.
    const slow: SecretStore = {
      ...store,
      readHeader: async () => ((await store.layout()) === 1 ? text : await store.readHeader()),
      async upgrade(next, expected, authenticate) {
        attempts += 1;
        if (attempts > 1)
          return expected === text && (await store.upgrade(next, await store.readHeader(), authenticate));
        const before: RawHeader = JSON.parse(text);
        const dataKeys = before.dataKeys.map((key) => ({ ...key, seals: 8192 }));
        text = JSON.stringify(withMac({ ...before, dataKeys }, ONE));
        return false;
      },
    };
    const ring = await createKeyManager(slow, new KeyPlace(1)).forEncrypt(1);
    expect([attempts, ring.header.dataKeys[0]?.seals]).toEqual([2, 8192]);
  });

  it("lets two processes at once come to one header", async () => {
    const { one, two } = createTwo(storeV1().store);
    const rings = await Promise.all([one.forEncrypt(1), two.forEncrypt(1), one.addDataKey()]);
    expect(new Set(rings.map(({ header }) => header.serviceKeys[0]?.id)).size).toBe(1);
  });

  it("takes a store of version 1 that has no header yet", async () => {
    const store = createMemoryStore({ layout: 1 });
    const { one } = createTwo(store);
    const ring = await one.forEncrypt(1);
    expect([await store.layout(), ring.header.format, await store.readHeader()]).toEqual([2, 2, ring.text]);
  });

  it("needs the key", async () => {
    const { store, header } = storeV1();
    await expect(createKeyManager(store, new KeyPlace(7)).forEncrypt(0)).rejects.toMatchObject({ code: "KEY_WRONG" });
    expect([await store.layout(), await store.readHeader()]).toEqual([1, JSON.stringify(header)]);
  });

  it("of a passphrase goes on with its salt and iterations", async () => {
    const header = makeHeaderV1("correct horse battery staple");
    const store = createMemoryStore({ layout: 1, header: JSON.stringify(header) });
    const place = new KeyPlace("correct horse battery staple");
    const { kdf } = (await createKeyManager(store, place).forEncrypt(1)).header;
    const { name, salt, iterations } = header.kdf;
    expect(kdf).toEqual({ name, salt, passphraseSalt: salt, iterations });
    expect((await createKeyManager(store, place).keyring()).epoch).toBe(1);
  });
});

describe("rotating", () => {
  it("puts another master key in place: the new one opens everything, the old one nothing", async () => {
    const { store, place, one, two } = await createTwoUsed();
    const before = await one.keyring();
    await two.keyring();
    const after = await one.rotateMasterKey(testKey(2));
    expect(after.active.bytes.equals(before.active.bytes)).toBe(true);
    expect(after.header.storeId).toBe(before.header.storeId);
    expect(after.header.kdf.salt).not.toBe(before.header.kdf.salt);
    expect([before.epoch, after.epoch, after.source]).toEqual([1, 2, "KEY 2"]);
    const secret = { ...sampleSecret("A"), mac: before.authenticate(sampleSecret("A")) };
    await expect(createKeyManager(store, new KeyPlace(1)).keyring()).rejects.toMatchObject({ code: "KEY_WRONG" });
    const again = await createKeyManager(store, new KeyPlace(2)).keyring();
    expect([again.active.bytes.equals(before.active.bytes), again.checkMac(secret, secret.mac)]).toEqual([true, true]);
    // A process that is still open takes the new key from where the old one was, and fails where it is not.
    await expect(two.keyring()).rejects.toMatchObject({ code: "KEY_WRONG" });
    place.keys = [testKey(2)];
    expect((await two.keyring()).text).toBe(after.text);
  });

  it("goes from a key to a passphrase and back", async () => {
    const { store, one } = await createTwoUsed();
    await one.rotateMasterKey(testKey("correct horse battery staple"));
    const two = createKeyManager(store, new KeyPlace("correct horse battery staple"));
    expect((await two.keyring()).header.kdf.name).toBe("pbkdf2-hmac-sha256");
    await two.rotateMasterKey(testKey(3));
    expect((await createKeyManager(store, new KeyPlace(3)).keyring()).header.kdf.name).toBe("hkdf-sha256");
  });

  it("leaves the service keys alone where the data key is new", async () => {
    const { one } = await createTwoUsed();
    const before = await one.keyring();
    const after = await one.addDataKey();
    expect(after.header.serviceKeys).toEqual(before.header.serviceKeys);
  });

  it("begins one epoch with a whole rotation of the data key: when it destroys those that an older header would bring back", async () => {
    const { one } = await createTwoUsed();
    const { active: old, epoch } = await one.keyring();
    const { active } = await one.addDataKey();
    await one.forEncrypt(50_000);
    await one.destroyDataKeys([active.id, "0badcafe"]);
    expect((await one.keyring()).epoch).toBe(epoch);
    await one.destroyDataKeys([old.id]);
    await one.destroyDataKeys([old.id]);
    expect((await one.keyring()).epoch).toBe(epoch + 1);
    expect((await one.nextEpoch()).epoch).toBe(epoch + 2);
  });

  it("lets two rotations and two writers at once all come to their end", async () => {
    const { store, one, two } = createTwo();
    await one.forEncrypt(1);
    const both = [one, two, one, two];
    const rotations = both.map(async (keys) => await keys.addDataKey());
    await Promise.all([...rotations, one.forEncrypt(1), two.forEncrypt(1)]);
    const { dataKeys, epoch } = await readHeader(store);
    expect([dataKeys.length, epoch]).toEqual([5, 1]);
    expect(dataKeys.filter(({ state }) => state === "active")).toHaveLength(1);
  });

  it("destroys data keys, but never the active one", async () => {
    const { one } = await createTwoUsed();
    const { active: old } = await one.keyring();
    const { active } = await one.addDataKey();
    const after = await one.destroyDataKeys([old.id, active.id, "00000000"]);
    expect(after.find(old.id)).toBe(null);
    expect(after.find(active.id)).not.toBe(null);
    expect(after.header.dataKeys.map(({ state, wrapped }) => [state, wrapped === null])).toEqual([
      ["destroyed", true],
      ["active", false],
    ]);
  });

  it("destroys no data key that a record names", async () => {
    const { store, one } = await createTwoUsed();
    const { active: old, text } = await one.keyring();
    const secret = sampleSecret("A");
    await putSecret(store, { ...secret, envelope: { ...secret.envelope, keyId: old.id } });
    await one.addDataKey();
    await expect(one.destroyDataKeys([old.id])).rejects.toMatchObject({ code: "DATA_KEY_IN_USE" });
    expect((await one.keyring()).find(old.id)).not.toBe(null);
    expect(await store.readHeader()).not.toBe(text);
  });

  it("cannot be undone by a header that was put back, to which the kept key still belongs", async () => {
    const { store, place, one } = await createTwoUsed();
    const { text } = await one.keyring();
    const after = await one.rotateMasterKey(testKey(2));
    await store.writeHeader(text, after.text);
    const { storeId } = after.header;
    const known = { storeId, epoch: 2, fingerprint: after.fingerprint, left: [], openedAt: "2026-05-05T05:05:05.555Z" };
    const memory = {
      recall: async () => known,
      forget: async () => undefined,
      remember: async () => undefined,
    };
    await expect(createKeyManager(store, place, { memory }).keyring()).rejects.toMatchObject({
      code: "STORE_ROLLED_BACK",
    });
    place.isGiven = true;
    expect((await createKeyManager(store, place, { memory }).keyring()).epoch).toBe(1);
  });
});

describe("closing", () => {
  it("overwrites every key it has opened", async () => {
    const { one } = createTwo();
    const actives = [(await one.forEncrypt(1)).active, (await one.addDataKey()).active];
    const rotated = await one.rotateMasterKey(testKey(2));
    one.close();
    for (const { bytes } of actives) expect(bytes.equals(Buffer.alloc(32))).toBe(true);
    expect(() => rotated.active).toThrow();
    for (const use of [one.keyring(), one.forEncrypt(1), one.forDecrypt(actives[0]?.id ?? ""), one.addDataKey()]) {
      await expect(use).rejects.toMatchObject({ code: "KEY_MISSING" });
    }
  });

  it("does not let a running batch encrypt under a wiped key", async () => {
    const { one } = createTwo();
    const encryption = createSecretEncryption(one);
    const secrets = Array.from({ length: 1000 }, (_, index) => ({
      metadata: sampleSecret(`A${index}`).metadata,
      plaintext: "{}" as never,
    }));
    const sealing = encryption.encrypt(secrets);
    await one.keyring().catch(() => undefined);
    one.close();
    await expect(sealing).rejects.toMatchObject({ code: "KEY_MISSING" });
  });

  it("wipes a keyring that is opened after it", async () => {
    const { store } = await createTwoUsed();
    const place = new KeyPlace(1);
    const keys = createKeyManager(store, place);
    const opening = keys.keyring();
    keys.close();
    await expect(opening.then((ring) => ring.active)).rejects.toMatchObject({ code: "KEY_MISSING" });
  });
});

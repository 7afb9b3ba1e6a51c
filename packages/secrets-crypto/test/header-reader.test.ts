import { createMemoryStore, type SecretStore } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { describe, expect, it } from "vitest";
import { createKeyManager } from "../src/index.ts";
import { KeyPlace, testKey } from "./test-keys.ts";

import { createTwo, createTwoUsed, spied, storeV1 } from "./two-processes.ts";

describe("reading", () => {
  it("asks for the master key once, however many ask for the keys at once", async () => {
    const { one, place } = await createTwoUsed();
    const rings = await Promise.all([one.keyring(), one.forDecrypt("00000000"), one.forVerify(null), one.keyring()]);
    expect([place.searches, place.wanted.at(-1)]).toEqual([1, rings[0]?.fingerprint]);
    expect(new Set(rings).size).toBe(1);
  });

  it("writes nothing: no header, no key, no upgrade", async () => {
    const calls: string[] = [];
    const spy = (store: SecretStore) => spied(store, async (method) => void calls.push(method));
    const empty = new KeyPlace();
    const { one, store } = await createTwoUsed();
    await one.addDataKey();
    for (const [kind, place] of [
      [createMemoryStore(), empty],
      [createMemoryStore({ layout: 1 }), empty],
      [storeV1().store, new KeyPlace(1)],
      [store, new KeyPlace(1)],
    ] as const) {
      const keys = createKeyManager(spy(kind), place);
      const reads = [() => keys.keyring(), () => keys.forDecrypt("00000000"), () => keys.forVerify("00000000")];
      await Promise.allSettled(reads.map(async (read) => await read()));
    }
    expect(calls.filter((method) => ["writeHeader", "upgrade"].includes(method))).toEqual([]);
    expect(empty.made).toBe(0);
  });

  it("says of an empty store that nothing was stored in it", async () => {
    const { one } = createTwo();
    for (const attempt of [one.keyring(), one.addDataKey(), one.rotateMasterKey(testKey(2)), one.nextEpoch()]) {
      await expect(attempt).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
        message: "The secret store has no keys yet: nothing was stored in it",
      });
    }
  });

  it("takes the header and the first secret that another process makes while it looks for them", async () => {
    const { store, place, two } = createTwo();
    let isMade = false;
    const slow = spied(store, async (method) => {
      if (method !== "ids" || isMade) return;
      isMade = true;
      await two.forEncrypt(1);
      await putSecret(store, sampleSecret("FIRST"));
    });
    expect((await createKeyManager(slow, place).keyring()).text).toBe(await store.readHeader());
  });

  it("finds keys that another process has made, without asking for the master key again", async () => {
    const { place, one, two } = await createTwoUsed();
    await one.keyring();
    const { active } = await two.addDataKey();
    expect((await one.forDecrypt(active.id)).find(active.id)?.bytes.equals(active.bytes)).toBe(true);
    expect(place.searches).toBe(2);
  });

  it("looks again where another process upgrades the store between the looks at header and layout", async () => {
    const { store } = storeV1();
    const { two, place } = createTwo(store);
    let isUpgraded = false;
    const slow: SecretStore = {
      ...store,
      async layout() {
        if (!isUpgraded) await two.forEncrypt(0);
        isUpgraded = true;
        return await store.layout();
      },
    };
    expect((await createKeyManager(slow, place).keyring()).header.format).toBe(2);
  });
});

describe("the search for the master key", () => {
  it("tries the keys one after the other, and tells once of one that is not the default", async () => {
    const { store } = await createTwoUsed();
    const place = new KeyPlace(7, "correct horse battery staple", 1);
    const notices: string[] = [];
    const keys = createKeyManager(store, place, { onNotice: (text) => notices.push(text) });
    const { source, fingerprint } = await keys.keyring();
    await createKeyManager(store, new KeyPlace(1)).nextEpoch();
    await keys.keyring();
    expect(source).toBe("KEY 1");
    expect(notices).toEqual([
      `the secrets were opened with the key ${fingerprint} from KEY 1, found beside the default`,
    ]);
  });

  it("tells nothing of the default key", async () => {
    const { store } = await createTwoUsed();
    const notices: string[] = [];
    await createKeyManager(store, new KeyPlace(1, 7), { onNotice: (text) => notices.push(text) }).keyring();
    expect(notices).toEqual([]);
  });

  it("names every key that was tried, and every place that was looked at", async () => {
    const { store, one } = await createTwoUsed();
    const { fingerprint } = await one.keyring();
    const place = new KeyPlace(7, 8, "correct horse battery staple");
    await expect(createKeyManager(store, place).keyring()).rejects.toMatchObject({
      code: "KEY_WRONG",
      message: expect.stringMatching(
        new RegExp(
          `^None of the master keys KEY 7 \\([0-9a-f]{16}\\), KEY 8 \\([0-9a-f]{16}\\), KEY correct horse battery staple \\(a passphrase\\) is the key of these secrets, which is ${fingerprint}$`,
        ),
      ),
      hint: expect.stringContaining("VARIABLE (not set); KEY 7; KEY 8;"),
    });
  });

  it("names every place where there is no key", async () => {
    const { store, one } = await createTwoUsed();
    const { fingerprint } = await one.keyring();
    await expect(createKeyManager(store, new KeyPlace()).keyring()).rejects.toMatchObject({
      code: "KEY_MISSING",
      message: `There are secrets here, but their master key was not found: ${fingerprint}`,
      hint: expect.stringMatching(/Looked at: VARIABLE \(not set\); \/typo \(no such file\)\.$/),
    });
  });

  it("looks again where a rotation has changed the header, and puts the key in place only then", async () => {
    const { store, place, one } = await createTwoUsed();
    await one.keyring();
    await one.rotateMasterKey(testKey(2));
    class LatePlace extends KeyPlace {
      override async search(): ReturnType<KeyPlace["search"]> {
        const found = await super.search();
        this.keys = [testKey(2)];
        return found;
      }
    }
    expect((await createKeyManager(store, new LatePlace(1)).keyring()).source).toBe("KEY 2");
    expect(place.searches).toBe(1);
  });

  it("gives up after three looks where the header stays, and goes on where it changes", async () => {
    const { store, one } = await createTwoUsed();
    const wrong = new KeyPlace(7);
    await expect(createKeyManager(store, wrong).keyring()).rejects.toMatchObject({ code: "KEY_WRONG" });
    expect(wrong.searches).toBe(3);
    let searches = 0;
    class Rotating extends KeyPlace {
      override async search(): ReturnType<KeyPlace["search"]> {
        searches += 1;
        await one.rotateMasterKey(testKey(searches === 5 ? 7 : 10 + searches));
        return await super.search();
      }
    }
    expect((await createKeyManager(store, new Rotating(7)).keyring()).source).toBe("KEY 7");
    // The header that the fifth rotation has written is read before the sixth search.
    expect(searches).toBe(6);
  });

  it("has no key and no passphrase in an error", async () => {
    const { store } = await createTwoUsed();
    const place = new KeyPlace();
    place.keys = [testKey(0x41, "A"), testKey("hunter2 hunter2 hunter2", "B")];
    const error = await createKeyManager(store, place)
      .keyring()
      .catch((reason: unknown) => reason);
    const text = JSON.stringify([error, String(error), error instanceof Error ? error.stack : ""]);
    for (const part of ["hunter2", "41414141", "AAAA", "QUFB"]) expect(text).not.toContain(part);
  });
});

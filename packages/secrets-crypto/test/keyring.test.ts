import { createMemoryStore, type SecretStore } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { describe, expect, it } from "vitest";
import { createKeyManager, type Keyring } from "../src/index.ts";
import { fingerprintOf } from "../src/key-derivation.ts";
import { deriveByHand, makeHeaderV1, type RawHeader, withMac } from "./by-hand.ts";
import { KeyPlace, TEST_STRETCHING, testKey } from "./test-keys.ts";

const PASSPHRASE = "correct horse battery staple";
const FIVE = Buffer.alloc(32, 5);

async function openKeyring(store: SecretStore, place: KeyPlace): Promise<Keyring> {
  return await createKeyManager(store, place).current();
}

async function createStore(key: number | string = 5): Promise<SecretStore> {
  const store = createMemoryStore();
  await createKeyManager(store, new KeyPlace(key)).forEncrypt(1);
  return store;
}

async function readHeader(store: SecretStore): Promise<RawHeader> {
  return JSON.parse((await store.readHeader()) ?? "");
}

async function editHeader(store: SecretStore, edit: (header: RawHeader) => unknown): Promise<void> {
  const text = (await store.readHeader()) ?? "";
  const header: RawHeader = JSON.parse(text);
  edit(header);
  await store.writeHeader(JSON.stringify(header), text);
}

describe("the keys of a header", () => {
  it.each([5, PASSPHRASE])("open again with the same key %j", async (key) => {
    const store = await createStore(key);
    const [first, again] = [await openKeyring(store, new KeyPlace(key)), await openKeyring(store, new KeyPlace(key))];
    expect(again.header.storeId).toBe(first.header.storeId);
    expect(again.active.bytes.equals(first.active.bytes)).toBe(true);
    expect(again.find(first.active.id)?.bytes.equals(first.active.bytes)).toBe(true);
    expect(again.find("00000000")).toBe(null);
  });

  it("are those of a new store: format 2, epoch 1, one data key, one service key, the fingerprint of the master key", async () => {
    const header = await readHeader(await createStore());
    expect(header).toMatchObject({ format: 2, epoch: 1, fingerprint: fingerprintOf(FIVE), extensions: [] });
    expect(header.dataKeys).toMatchObject([{ state: "active", seals: 4096, format: 2, namespace: null }]);
    expect(header.serviceKeys).toMatchObject([{ state: "active" }]);
    expect(header.fingerprint).toBe(deriveByHand(header, FIVE).fingerprint);
    expect(header.mac).toBe(withMac(header, FIVE).mac);
  });

  it("have the stretching of the passphrase, and a salt of the store's own", async () => {
    const [one, two] = [
      await readHeader(await createStore(PASSPHRASE)),
      await readHeader(await createStore(PASSPHRASE)),
    ];
    expect(one.kdf).toMatchObject({
      name: "pbkdf2-hmac-sha256",
      passphraseSalt: TEST_STRETCHING.salt,
      iterations: TEST_STRETCHING.iterations,
    });
    expect(one.kdf.salt).not.toBe(two.kdf.salt);
    expect([one.keyCheck === two.keyCheck, one.fingerprint === two.fingerprint]).toEqual([false, true]);
  });

  it("are made only where there are no secrets", async () => {
    const fresh = new KeyPlace();
    await createKeyManager(createMemoryStore(), fresh).forEncrypt(1);
    expect(fresh.made).toBe(1);
    const late = new KeyPlace();
    await expect(createKeyManager(await createStore(), late).forEncrypt(1)).rejects.toMatchObject({
      code: "KEY_MISSING",
    });
    expect(late.made).toBe(0);
  });

  it("are not made where there are records without a header", async () => {
    const store = createMemoryStore();
    await putSecret(store, sampleSecret("A"));
    const place = new KeyPlace();
    const keys = createKeyManager(store, place);
    for (const attempt of [keys.current(), keys.forEncrypt(1)]) {
      await expect(attempt).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    }
    expect({ made: place.made, header: await store.readHeader() }).toEqual({ made: 0, header: null });
  });

  it("are the same for all of many first writers", async () => {
    const store = createMemoryStore();
    const rings = await Promise.all(
      Array.from({ length: 10 }, async () => await createKeyManager(store, new KeyPlace(5)).forEncrypt(1)),
    );
    expect(new Set(rings.map((ring) => ring.active.bytes.toString("hex"))).size).toBe(1);
    expect((await readHeader(store)).dataKeys).toMatchObject([{ seals: 40_960 }]);
  });

  it.each<[string, number | string, number | string, string]>([
    ["other bytes", 5, 6, "[0-9a-f]{16}"],
    ["another passphrase", PASSPHRASE, "correct horse battery stapl", "[0-9a-f]{16}"],
    ["a passphrase for a key", 5, PASSPHRASE, "a passphrase"],
    ["a key for a passphrase", PASSPHRASE, 5, "a key of 32 bytes"],
  ])("refuse %s, with its source and both fingerprints, and write nothing", async (_, right, wrong, name) => {
    const store = await createStore(right);
    const before = await store.readHeader();
    const { fingerprint } = await openKeyring(store, new KeyPlace(right));
    await expect(createKeyManager(store, new KeyPlace(wrong)).forEncrypt(1)).rejects.toMatchObject({
      code: "KEY_WRONG",
      message: expect.stringMatching(
        new RegExp(
          `^The master key from KEY ${wrong} \\(${name}\\) is not the key of these secrets, which is ${fingerprint}$`,
        ),
      ),
    });
    expect(await store.readHeader()).toBe(before);
  });

  it("have an unknown fingerprint in a header of format 1", async () => {
    const store = createMemoryStore({ layout: 1, header: JSON.stringify(makeHeaderV1(FIVE)) });
    await expect(openKeyring(store, new KeyPlace(6))).rejects.toMatchObject({
      code: "KEY_WRONG",
      message: expect.stringMatching(/ which is unknown \(older format\)$/),
    });
  });

  it("are wiped when it closes, and nothing is encrypted or authenticated under wiped ones", async () => {
    const ring = await openKeyring(await createStore(), new KeyPlace(5));
    const { active } = ring;
    const secret = sampleSecret("A");
    ring.close();
    expect(active.bytes.equals(Buffer.alloc(32))).toBe(true);
    const uses = [
      () => ring.active,
      () => ring.find(active.id),
      () => ring.authenticate(secret),
      () => ring.checkMac(secret, ring.header.serviceKeys[0]?.id ?? ""),
      () => ring.change((header) => header),
      () => ring.follow(ring.text),
    ];
    for (const use of uses) expect(use).toThrow(expect.objectContaining({ code: "KEY_MISSING" }));
  });
});

const OTHER_ID = "1b671a64-40d5-491e-99b0-da01ff1f3341";
type Refusal = [name: string, code: string, edit: (header: RawHeader) => unknown];

/** Wrong in both formats. */
const REFUSALS: Refusal[] = [
  ["another store id", "INTEGRITY_FAILED", (h) => Object.assign(h, { storeId: OTHER_ID })],
  [
    "no active data key",
    "STORE_CORRUPT",
    (h) => h.dataKeys.map((key) => Object.assign(key, { state: "decrypt-only" })),
  ],
  [
    "a destroyed data key that is there",
    "STORE_CORRUPT",
    (h) => Object.assign(h.dataKeys[0] ?? {}, { state: "destroyed" }),
  ],
  ["fewer seals than were reserved", "INTEGRITY_FAILED", (h) => Object.assign(h.dataKeys[0] ?? {}, { seals: 0 })],
  [
    "another creation time",
    "INTEGRITY_FAILED",
    (h) => Object.assign(h.dataKeys[0] ?? {}, { createdAt: "2020-01-01T00:00:00.000Z" }),
  ],
  ["another key id", "INTEGRITY_FAILED", (h) => Object.assign(h.dataKeys[0] ?? {}, { id: "00000000" })],
  ["two active data keys", "STORE_CORRUPT", (h) => Object.assign(h, { dataKeys: [...h.dataKeys, ...h.dataKeys] })],
  ["an empty salt", "STORE_CORRUPT", (h) => Object.assign(h.kdf, { salt: "" })],
  ["another MAC", "INTEGRITY_FAILED", (h) => Object.assign(h, { mac: Buffer.alloc(32).toString("base64") })],
  ["a short MAC", "STORE_CORRUPT", (h) => Object.assign(h, { mac: "AAAA" })],
  ["an unknown field", "STORE_CORRUPT", (h) => Object.assign(h, { extra: 1 })],
  ["an unknown derivation", "STORE_TOO_NEW", (h) => Object.assign(h.kdf, { name: "argon2id" })],
  ["no data key", "STORE_CORRUPT", (h) => Object.assign(h, { dataKeys: [] })],
  ["a newer format", "STORE_TOO_NEW", (h) => Object.assign(h, { format: 3, mac: { sha3: "" } })],
  ["format 0", "STORE_CORRUPT", (h) => Object.assign(h, { format: 0 })],
  ["format 1.5", "STORE_CORRUPT", (h) => Object.assign(h, { format: 1.5 })],
  [
    "another wrapped key",
    "INTEGRITY_FAILED",
    (h) => Object.assign(h.dataKeys[0] ?? {}, { wrapped: Buffer.alloc(60).toString("base64") }),
  ],
];

/** Wrong where format 1 cannot tell it from another master key. */
const REFUSALS_1: Refusal[] = [
  ["another salt", "KEY_WRONG", (h) => Object.assign(h.kdf, { salt: Buffer.alloc(16, 9).toString("base64") })],
  ["another check value", "KEY_WRONG", (h) => Object.assign(h, { keyCheck: Buffer.alloc(32).toString("base64") })],
];

/** Wrong in what only format 2 has. */
const REFUSALS_2: Refusal[] = [
  ...REFUSALS_1.map(([what, , edit]): Refusal => [what, "INTEGRITY_FAILED", edit]),
  ["a lower epoch", "INTEGRITY_FAILED", (h) => Object.assign(h, { epoch: 1 })],
  ["a higher epoch", "INTEGRITY_FAILED", (h) => Object.assign(h, { epoch: 99 })],
  ["epoch 0", "STORE_CORRUPT", (h) => Object.assign(h, { epoch: 0 })],
  ["another fingerprint", "INTEGRITY_FAILED", (h) => Object.assign(h, { fingerprint: "0".repeat(16) })],
  ["no fingerprint", "STORE_CORRUPT", (h) => Object.assign(h, { fingerprint: null })],
  ["no service key", "STORE_CORRUPT", (h) => Object.assign(h, { serviceKeys: [] })],
  [
    "another id of the service key",
    "INTEGRITY_FAILED",
    (h) => Object.assign(h.serviceKeys?.[0] ?? {}, { id: "00000000" }),
  ],
  [
    "another service key",
    "INTEGRITY_FAILED",
    (h) => Object.assign(h.serviceKeys?.[0] ?? {}, { wrapped: h.dataKeys[0]?.wrapped }),
  ],
  ["a data key that opens format 1", "INTEGRITY_FAILED", (h) => Object.assign(h.dataKeys[0] ?? {}, { format: 1 })],
  ["an active data key for format 1", "STORE_CORRUPT", (h) => Object.assign(h.dataKeys[1] ?? {}, { format: 1 })],
  ["swapped data keys", "INTEGRITY_FAILED", swapKeys],
  [
    "an order of data keys reversed",
    "INTEGRITY_FAILED",
    (h) => Object.assign(h, { dataKeys: h.dataKeys.toReversed() }),
  ],
  ["a namespace", "STORE_CORRUPT", (h) => Object.assign(h.dataKeys[0] ?? {}, { namespace: "x" })],
  ["an extension", "INTEGRITY_FAILED", (h) => h.extensions?.push(["x", false, "y"])],
  ["a critical extension", "STORE_TOO_NEW", (h) => h.extensions?.push(["x", true, "y"])],
  ["half a surrogate pair", "STORE_CORRUPT", (h) => h.extensions?.push(["x", false, "\ud800"])],
];

function swapKeys({ dataKeys: [one, two] }: RawHeader): void {
  if (one === undefined || two === undefined) throw new Error("two data keys are needed");
  [one.wrapped, two.wrapped] = [two.wrapped, one.wrapped];
}

describe("a header that was changed", () => {
  it.each([...REFUSALS, ...REFUSALS_2])("is refused in format 2: %s", async (_, code, edit) => {
    const store = await createStore();
    const keys = createKeyManager(store, new KeyPlace(5));
    await keys.addDataKey();
    await keys.nextEpoch();
    await editHeader(store, edit);
    await expect(openKeyring(store, new KeyPlace(5))).rejects.toMatchObject({ code });
  });

  it.each([...REFUSALS, ...REFUSALS_1])("is refused in format 1: %s", async (_, code, edit) => {
    const header = makeHeaderV1(FIVE);
    edit(header);
    const store = createMemoryStore({ layout: 1, header: JSON.stringify(header) });
    await expect(openKeyring(store, new KeyPlace(5))).rejects.toMatchObject({ code });
  });

  it("is refused field by field by a process that has its keys", async () => {
    const edits = [...REFUSALS, ...REFUSALS_2].filter(([, code]) => code === "INTEGRITY_FAILED");
    for (const [name, code, edit] of edits) {
      const store = await createStore();
      const keys = createKeyManager(store, new KeyPlace(5));
      await keys.addDataKey();
      await keys.nextEpoch();
      await editHeader(store, edit);
      await expect(keys.current(), name).rejects.toMatchObject({ code });
    }
  });

  it.each([
    ["iterations lowered to 1", "STORE_CORRUPT", 1],
    ["iterations below the floor", "STORE_CORRUPT", 99_999],
    ["more iterations", "KEY_WRONG", 100_001],
    ["2^31 iterations", "STORE_CORRUPT", 2 ** 31],
  ])("is refused with %s", async (_, code, iterations) => {
    const store = await createStore(PASSPHRASE);
    await editHeader(store, (header) => Object.assign(header.kdf, { iterations }));
    await expect(openKeyring(store, new KeyPlace(PASSPHRASE))).rejects.toMatchObject({ code });
  });

  it("is refused with the service key, or the data key, of another store under the same master key", async () => {
    const other = await readHeader(await createStore());
    for (const field of ["serviceKeys", "dataKeys"] as const) {
      const store = await createStore();
      // Even somebody who could make the MAC would have to wrap it for this store.
      await editHeader(store, (header) => {
        Object.assign(header, { [field]: other[field] });
        Object.assign(header, withMac(header, FIVE));
      });
      await expect(openKeyring(store, new KeyPlace(5))).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
    }
  });

  it("is refused where a data key stands for a service key", async () => {
    const store = await createStore();
    await editHeader(store, (header) => {
      const [{ id, wrapped } = { id: "", wrapped: null }] = header.dataKeys;
      Object.assign(header, { serviceKeys: [{ id, state: "active", wrapped }] });
      Object.assign(header, withMac(header, FIVE));
    });
    await expect(openKeyring(store, new KeyPlace(5))).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
  });

  it.each(["", "{", "null", "[]", '"text"'])("is no header: %j", async (text) => {
    const store = createMemoryStore({ header: text });
    await expect(openKeyring(store, new KeyPlace(5))).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });

  it("keeps what later versions have added, and need not be known", async () => {
    const store = await createStore();
    const extensions: [string, boolean, string][] = [["later", false, "ü"]];
    await editHeader(store, (header) => Object.assign(header, withMac({ ...header, extensions }, FIVE)));
    const keys = createKeyManager(store, new KeyPlace(5));
    await keys.forEncrypt(5000);
    await keys.rotateMasterKey(testKey(6));
    expect((await readHeader(store)).extensions).toEqual(extensions);
    expect((await openKeyring(store, new KeyPlace(6))).header.extensions).toEqual(extensions);
  });
});

describe("a header of format 1", () => {
  it.each([
    ["32 bytes", FIVE, 5],
    ["a passphrase", PASSPHRASE, PASSPHRASE],
  ])("reads as one of format 2 that has no epoch and no service keys: %s", async (_, master, key) => {
    const header = makeHeaderV1(master);
    const store = createMemoryStore({ layout: 1, header: JSON.stringify(header) });
    const place = new KeyPlace(key);
    const ring = await openKeyring(store, place);
    expect(ring.header).toMatchObject({ format: 1, epoch: 0, fingerprint: null, serviceKeys: [], extensions: [] });
    expect(ring.header.dataKeys).toMatchObject([{ format: 1, namespace: null }]);
    expect(ring.fingerprint).toBe(deriveByHand(header, master).fingerprint);
    expect(place.wanted).toEqual([null]);
    expect(await store.readHeader()).toBe(JSON.stringify(header));
  });

  it("in a store of layout 2 was put back", async () => {
    const store = createMemoryStore({ header: JSON.stringify(makeHeaderV1(FIVE)) });
    await expect(openKeyring(store, new KeyPlace(5))).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
    await expect(createKeyManager(store, new KeyPlace(5)).forEncrypt(1)).rejects.toMatchObject({
      code: "INTEGRITY_FAILED",
    });
  });

  it("is what a store of layout 1 has, and nothing newer", async () => {
    const store = createMemoryStore({ layout: 1, header: await (await createStore()).readHeader() });
    await expect(openKeyring(store, new KeyPlace(5))).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
  });
});

describe("the MAC of fields", () => {
  it("is for one purpose and one list, and survives every rotation", async () => {
    const store = await createStore();
    const keys = createKeyManager(store, new KeyPlace(5));
    expect(keys.opened()).toBe(null);
    const keyring = await keys.current();
    expect(keys.opened()).toBe(keyring);
    const mac = keyring.authenticateFields("audit", ["a", 1, null]);
    const rotated = await keys.rotateMasterKey(testKey(7));
    await keys.addDataKey();
    expect(mac).toMatch(/^[0-9a-f]{8}:[A-Za-z0-9+/]{43}=$/);
    for (const later of [keyring, rotated, await openKeyring(store, new KeyPlace(7))]) {
      expect(later.checkFields("audit", ["a", 1, null], mac)).toBe(true);
      expect(later.checkFields("token", ["a", 1, null], mac)).toBe(false);
      expect(later.checkFields("audit", ["a1", null], mac)).toBe(false);
      expect(later.checkFields("audit", ["a", 1, null], `00000000${mac.slice(8)}`)).toBe(false);
      expect(later.checkFields("audit", ["a", 1, null], "")).toBe(false);
    }
    keys.close();
    expect(keys.opened()).toBe(null);
    expect(() => rotated.checkFields("audit", [], mac)).toThrow("closed");
    expect(() => rotated.authenticateFields("audit", [])).toThrow("closed");
  });

  it("of another store is another one", async () => {
    const [one, other] = [
      await openKeyring(await createStore(), new KeyPlace(5)),
      await openKeyring(await createStore(), new KeyPlace(5)),
    ];
    expect(other.checkFields("audit", ["a"], one.authenticateFields("audit", ["a"]))).toBe(false);
  });

  it("is not made in format 1", async () => {
    const keys = createKeyManager(
      createMemoryStore({ layout: 1, header: JSON.stringify(makeHeaderV1(FIVE)) }),
      new KeyPlace(5),
    );
    const keyring = await keys.current();
    expect(keys.opened()).toBe(null);
    expect(() => keyring.authenticateFields("audit", ["a"])).toThrow("format 1");
  });
});

import { createMemoryStore, type MasterKey, type MasterKeyProvider, type SecretStore } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { describe, expect, it } from "vitest";
import { createStoreKeys, type Keyring } from "../src/index.ts";

/** A provider of one key, which counts how often a new one was made. */
function providerOf(
  byte: number | string | null,
  otherSource: string | null = null,
): MasterKeyProvider & { made: number } {
  const key = (): MasterKey => ({
    source: "TEST",
    otherSource,
    ...(typeof byte === "string"
      ? { kind: "passphrase", material: Buffer.from(byte) }
      : { kind: "bytes", material: Buffer.alloc(32, byte ?? 1) }),
  });
  return {
    made: 0,
    async load() {
      return byte === null && this.made === 0 ? null : key();
    },
    async generate() {
      this.made += 1;
      return key();
    },
    pending: async () => [],
  };
}

async function openKeyring(store: SecretStore, provider: MasterKeyProvider): Promise<Keyring> {
  return await createStoreKeys(store, provider).current();
}

async function createStore(byte: number | string = 5): Promise<SecretStore> {
  const store = createMemoryStore();
  await openKeyring(store, providerOf(byte));
  return store;
}

interface RawHeader {
  kdf: object;
  dataKeys: object[];
}

async function editHeader(store: SecretStore, edit: (header: RawHeader) => void): Promise<void> {
  const text = (await store.readHeader()) ?? "";
  const header: RawHeader = JSON.parse(text);
  edit(header);
  await store.writeHeader(JSON.stringify(header), text);
}

describe("openKeyring", () => {
  it.each([5, "correct horse battery staple"])("opens again with the same key %j", async (key) => {
    const store = createMemoryStore();
    const first = await openKeyring(store, providerOf(key));
    const again = await openKeyring(store, providerOf(key));
    expect(again.header.storeId).toBe(first.header.storeId);
    expect(again.active.bytes.equals(first.active.bytes)).toBe(true);
    expect(again.find(first.active.id)?.bytes.equals(first.active.bytes)).toBe(true);
    expect(again.find("00000000")).toBe(null);
  });

  it("makes a key only where there are no secrets", async () => {
    const fresh = providerOf(null);
    await openKeyring(createMemoryStore(), fresh);
    expect(fresh.made).toBe(1);
    const late = providerOf(null);
    await expect(openKeyring(await createStore(), late)).rejects.toMatchObject({ code: "KEY_MISSING" });
    expect(late.made).toBe(0);
  });

  it("makes no header where there are records without one", async () => {
    const store = createMemoryStore();
    await putSecret(store, sampleSecret("A"));
    const provider = providerOf(null);
    await expect(openKeyring(store, provider)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    expect({ made: provider.made, header: await store.readHeader() }).toEqual({ made: 0, header: null });
  });

  it("gives all of many first openings the same data key", async () => {
    const store = createMemoryStore();
    const rings = await Promise.all(Array.from({ length: 10 }, async () => await openKeyring(store, providerOf(5))));
    expect(new Set(rings.map((ring) => ring.active.bytes.toString("hex"))).size).toBe(1);
  });

  it.each<[string, number | string, number | string]>([
    ["other bytes", 5, 6],
    ["another passphrase", "correct horse battery staple", "correct horse battery stapl"],
    ["a passphrase for a key", 5, "correct horse battery staple"],
    ["a key for a passphrase", "correct horse battery staple", 5],
  ])("refuses %s, names the source and both fingerprints, and writes nothing", async (_, right, wrong) => {
    const store = await createStore(right);
    const before = await store.readHeader();
    await expect(openKeyring(store, providerOf(wrong, "/home/me/secret.key"))).rejects.toMatchObject({
      code: "KEY_WRONG",
      message: expect.stringMatching(
        /^The master key from TEST \([0-9a-f]{8}\) is not the key of these secrets \([0-9a-f]{8}\); \/home\/me\/secret\.key /,
      ),
    });
    expect(await store.readHeader()).toBe(before);
  });

  it.each<[string, string, (header: RawHeader) => void]>([
    [
      "another store id",
      "INTEGRITY_FAILED",
      (h) => Object.assign(h, { storeId: "1b671a64-40d5-491e-99b0-da01ff1f3341" }),
    ],
    ["no active data key", "STORE_CORRUPT", (h) => Object.assign(h.dataKeys[0] ?? {}, { state: "decrypt-only" })],
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
    ["another salt", "KEY_WRONG", (h) => Object.assign(h.kdf, { salt: Buffer.alloc(16, 9).toString("base64") })],
    ["an empty salt", "STORE_CORRUPT", (h) => Object.assign(h.kdf, { salt: "" })],
    ["another MAC", "INTEGRITY_FAILED", (h) => Object.assign(h, { mac: Buffer.alloc(32).toString("base64") })],
    ["a short MAC", "STORE_CORRUPT", (h) => Object.assign(h, { mac: "AAAA" })],
    ["another check value", "KEY_WRONG", (h) => Object.assign(h, { keyCheck: Buffer.alloc(32).toString("base64") })],
    ["an unknown field", "STORE_CORRUPT", (h) => Object.assign(h, { extra: 1 })],
    ["an unknown derivation", "STORE_CORRUPT", (h) => Object.assign(h.kdf, { name: "none" })],
    ["no data key", "STORE_CORRUPT", (h) => Object.assign(h, { dataKeys: [] })],
    ["a newer format", "STORE_TOO_NEW", (h) => Object.assign(h, { format: 2 })],
  ])("refuses a header with %s", async (_, code, edit) => {
    const store = await createStore();
    await editHeader(store, edit);
    await expect(openKeyring(store, providerOf(5))).rejects.toMatchObject({ code });
  });

  it.each([
    ["iterations lowered to 1", "STORE_CORRUPT", 1],
    ["iterations below the floor", "STORE_CORRUPT", 99_999],
    ["iterations lowered to the floor", "KEY_WRONG", 100_000],
    ["2^31 iterations", "STORE_CORRUPT", 2 ** 31],
  ])("refuses a header with %s", async (_, code, iterations) => {
    const store = await createStore("correct horse battery staple");
    await editHeader(store, (header) => Object.assign(header.kdf, { iterations }));
    await expect(openKeyring(store, providerOf("correct horse battery staple"))).rejects.toMatchObject({ code });
  });

  it("stretches new passphrases with 600 000 iterations", async () => {
    const store = await createStore("correct horse battery staple");
    expect(JSON.parse((await store.readHeader()) ?? "").kdf).toMatchObject({
      name: "pbkdf2-hmac-sha256",
      iterations: 600_000,
    });
  });

  it.each(["", "{", "null", "[]", '"text"'])("refuses the header %j", async (text) => {
    const store = createMemoryStore();
    await store.writeHeader(text, null);
    await expect(openKeyring(store, providerOf(5))).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });

  it("overwrites the keys when it closes", async () => {
    const ring = await openKeyring(createMemoryStore(), providerOf(5));
    const { bytes } = ring.active;
    ring.close();
    expect(bytes.equals(Buffer.alloc(32))).toBe(true);
  });
});

import {
  AutokestraError,
  createMemoryStore,
  type Envelope,
  type MasterKeyProvider,
  type Plaintext,
  type RecordIdentity,
  type SecretEncryption,
} from "@autokestra/secrets-core";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSecretEncryption, createStoreKeys, type Keyring, type StoreKeys } from "../src/index.ts";

function createProvider(): MasterKeyProvider {
  const key = () => ({ source: "TEST", otherSource: null, kind: "bytes" as const, material: Buffer.alloc(32, 3) });
  return { load: async () => key(), generate: async () => key(), pending: async () => [] };
}

function createKeys(): StoreKeys {
  return createStoreKeys(createMemoryStore(), createProvider());
}

/** An encryption that always has this keyring, whatever a record asks for. */
function encryptionWith(keyring: Keyring): SecretEncryption {
  return createSecretEncryption({ ...createKeys(), forOpen: async () => keyring });
}

const keys = createKeys();
const ring = await keys.current();
const encryption = createSecretEncryption(keys);
const record: RecordIdentity = { ...sampleSecret("NAME").metadata, expiresAt: "2030-01-01T00:00:00.000Z" };
const plaintext = '{"value":"v"}' as Plaintext;
const { envelope } = await encryption.seal(record, plaintext);

describe("createSecretEncryption", () => {
  it("opens what it sealed, and leaves a copy of nothing in the envelope", async () => {
    expect(await encryption.open(record, envelope)).toBe(plaintext);
    expect(envelope).toMatchObject({ format: 1, keyId: ring.active.id });
    expect([envelope.nonce.length, envelope.ciphertext.length, envelope.tag.length]).toEqual([
      12,
      plaintext.length,
      16,
    ]);
  });

  it("gives back every well-formed text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (text) => {
        const sealed = await encryption.seal(record, text as Plaintext);
        expect(await encryption.open(record, sealed.envelope)).toBe(text);
      }),
    );
  });

  it("refuses a text with half a surrogate pair", async () => {
    await expect(encryption.seal(record, "\ud800" as Plaintext)).rejects.toMatchObject({ code: "VALUE_INVALID" });
  });

  it.each<[string, Partial<RecordIdentity>]>([
    ["id", { id: "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d" }],
    ["name", { name: sampleSecret("NAME2").metadata.name }],
    ["type", { type: "custom" }],
    ["version", { version: 2 }],
    ["expiry", { expiresAt: "2031-01-01T00:00:00.000Z" }],
    ["expiry removed", { expiresAt: null }],
  ])("refuses a record with another %s", async (_, change) => {
    await expect(encryption.open({ ...record, ...change }, envelope)).rejects.toMatchObject({
      code: "INTEGRITY_FAILED",
    });
  });

  it.each<[string, Partial<Envelope>]>([
    ["format", { format: 2 }],
    ["format 0", { format: 0 }],
    ["key id", { keyId: "00000000" }],
    [
      "key id in upper case",
      { keyId: ring.active.id.toUpperCase() === ring.active.id ? "FFFFFFFF" : ring.active.id.toUpperCase() },
    ],
    ["empty key id", { keyId: "" }],
    ["empty nonce", { nonce: new Uint8Array() }],
    ["empty tag", { tag: new Uint8Array() }],
    ["empty ciphertext", { ciphertext: new Uint8Array() }],
    ["longer ciphertext", { ciphertext: Buffer.concat([envelope.ciphertext, Buffer.alloc(1)]) }],
    ["longer tag", { tag: Buffer.concat([envelope.tag, Buffer.alloc(1)]) }],
  ])("refuses an envelope with another %s", async (_, change) => {
    await expect(encryption.open(record, { ...envelope, ...change })).rejects.toMatchObject({
      code: "INTEGRITY_FAILED",
    });
  });

  it("says the same of a wrong key and of a changed record", async () => {
    const other = await createKeys().current();
    // The same id with other bytes is what a wrong key looks like from outside.
    const wrongKey = encryptionWith({ ...ring, find: () => other.active }).open(record, envelope);
    const changed = encryption.open(record, { ...envelope, tag: Buffer.alloc(16) });
    const [one, two] = await Promise.all(
      [wrongKey, changed].map(async (attempt) => await attempt.catch(describeError)),
    );
    expect(one).toMatch(/INTEGRITY_FAILED Secret 'NAME' cannot be opened/);
    expect(one).toBe(two);
  });

  it("refuses the ciphertext of another store under the same data key", async () => {
    const header = { ...ring.header, storeId: "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d" };
    const attempt = encryptionWith({ ...ring, header }).open(record, envelope);
    await expect(attempt).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
  });

  it("refuses every flipped bit of every part, in the record and in the envelope", async () => {
    let flips = 0;
    for (const part of ["nonce", "ciphertext", "tag"] as const) {
      for (let bit = 0; bit < envelope[part].length * 8; bit++) {
        const bytes = Buffer.from(envelope[part]);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        await expect(encryption.open(record, { ...envelope, [part]: bytes })).rejects.toMatchObject({
          code: "INTEGRITY_FAILED",
        });
        flips += 1;
      }
    }
    expect(flips).toBe((12 + plaintext.length + 16) * 8);
  });

  it("wipes the keys and stops when it closes", async () => {
    const own = createKeys();
    const { active } = await own.current();
    const closing = createSecretEncryption(own);
    await closing.seal(record, plaintext);
    closing.close();
    await expect(closing.seal(record, plaintext)).rejects.toMatchObject({ code: "KEY_MISSING" });
    await expect(closing.open(record, envelope)).rejects.toMatchObject({ code: "KEY_MISSING" });
    expect(active.bytes.equals(Buffer.alloc(32))).toBe(true);
  });
});

function describeError(error: unknown): string {
  return error instanceof AutokestraError ? `${error.code} ${error.message} ${error.hint}` : String(error);
}

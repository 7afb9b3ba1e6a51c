import {
  AutokestraError,
  createMemoryStore,
  type Envelope,
  type Plaintext,
  type RecordIdentity,
} from "@autokestra/secrets-core";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSecretEncryption, type Keyring, openKeyring } from "../src/index.ts";

function createRing(): Promise<Keyring> {
  const key = { source: "TEST", otherSource: null, kind: "bytes" as const, material: Buffer.alloc(32, 3) };
  return openKeyring(createMemoryStore(), { load: async () => key, generate: async () => key });
}

const ring = await createRing();
const encryption = createSecretEncryption(async () => ring);
const record: RecordIdentity = { ...sampleSecret("NAME").metadata, expiresAt: "2030-01-01T00:00:00.000Z" };
const plaintext = '{"value":"v"}' as Plaintext;
const envelope = await encryption.seal(record, plaintext);

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
        expect(await encryption.open(record, await encryption.seal(record, text as Plaintext))).toBe(text);
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
    const other = await createRing();
    // The same id with other bytes is what a wrong key looks like from outside.
    const withOtherKey = createSecretEncryption(async () => ({ ...ring, find: () => other.active }));
    const wrongKey = withOtherKey.open(record, envelope);
    const changed = encryption.open(record, { ...envelope, tag: Buffer.alloc(16) });
    const [one, two] = await Promise.all(
      [wrongKey, changed].map(async (attempt) => await attempt.catch(describeError)),
    );
    expect(one).toMatch(/INTEGRITY_FAILED Secret 'NAME' cannot be opened/);
    expect(one).toBe(two);
  });

  it("refuses the ciphertext of another store under the same data key", async () => {
    const elsewhere = createSecretEncryption(async () => ({
      ...ring,
      storeId: "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d",
    }));
    await expect(elsewhere.open(record, envelope)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
  });

  it("asks for the keys once, and not before they are needed", async () => {
    let asked = 0;
    const lazy = createSecretEncryption(async () => {
      asked += 1;
      return ring;
    });
    expect(asked).toBe(0);
    await Promise.all([lazy.open(record, envelope), lazy.seal(record, plaintext), lazy.open(record, envelope)]);
    expect(asked).toBe(1);
  });

  it("wipes the keys and stops when it closes", async () => {
    const own = await createRing();
    const closing = createSecretEncryption(async () => own);
    await closing.seal(record, plaintext);
    closing.close();
    await expect(closing.seal(record, plaintext)).rejects.toMatchObject({ code: "KEY_MISSING" });
    expect(own.active.bytes.equals(Buffer.alloc(32))).toBe(true);
  });
});

function describeError(error: unknown): string {
  return error instanceof AutokestraError ? `${error.code} ${error.message} ${error.hint}` : String(error);
}

import { createDecipheriv, createHmac, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  createMemoryStore,
  type Envelope,
  type MasterKeyProvider,
  type RecordIdentity,
} from "@autokestra/secrets-core";
import { describe, expect, it } from "vitest";
import { openBytes } from "../src/aes-gcm.ts";
import { createSecretEncryption, createStoreKeys, type StoreHeader } from "../src/index.ts";
import { readTwoKeysVector } from "./vectors.ts";

const document: string = readFileSync(new URL("../../../docs/FORMAT.md", import.meta.url), "utf8");
const header: StoreHeader & { mac: string } = JSON.parse(example("header"));
const { record, envelope }: { record: RecordIdentity; envelope: Record<keyof Envelope, string> } = JSON.parse(
  example("record"),
);
const master: Buffer = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const plaintext = '{"value":"s3cret"}';

function example(name: string): string {
  return new RegExp(`\`\`\`json ${name}\\n([\\s\\S]*?)\`\`\``).exec(document)?.[1] ?? "";
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "base64");
}

describe("docs/FORMAT.md", () => {
  it("has an example that the package opens", async () => {
    const key = () => ({ source: "TEST", otherSource: null, kind: "bytes" as const, material: Buffer.from(master) });
    const provider: MasterKeyProvider = {
      load: async () => key(),
      generate: async () => key(),
      pending: async () => [],
    };
    const store = createMemoryStore();
    await store.writeHeader(JSON.stringify(header), null);
    const encryption = createSecretEncryption(createStoreKeys(store, provider));
    const sealed = { format: 1, keyId: envelope.keyId, ...sealedParts(envelope) };
    expect(await encryption.open(record, sealed)).toBe(plaintext);
    await expect(encryption.open({ ...record, version: 4 }, sealed)).rejects.toMatchObject({
      code: "INTEGRITY_FAILED",
    });
  });

  it("says enough to open it with node:crypto alone", () => {
    expect(document).toContain(plaintext);
    expect(openByHand(sealedParts(envelope))).toBe(plaintext);
    for (const part of ["nonce", "ciphertext", "tag"] as const) {
      const changed = Buffer.from(bytes(envelope[part]));
      changed.writeUInt8(changed.readUInt8(0) ^ 1, 0);
      expect(() => openByHand({ ...sealedParts(envelope), [part]: changed })).toThrow();
    }
  });

  it("has an example whose header is authenticated as it says", () => {
    const { kdf, dataKeys } = header;
    const keys = dataKeys.flatMap(({ id, state, createdAt, seals, wrapped }) => [id, state, createdAt, seals, wrapped]);
    const fields = [
      "autokestra header",
      1,
      header.storeId,
      kdf.name,
      kdf.salt,
      null,
      header.keyCheck,
      dataKeys.length,
      ...keys,
    ];
    const mac = createHmac("sha256", derive("autokestra v1 header")).update(list(fields)).digest("base64");
    expect({ mac, keyCheck: derive("autokestra v1 key check").toString("base64") }).toEqual({
      mac: header.mac,
      keyCheck: header.keyCheck,
    });
  });
});

describe("a ciphertext that opens under two keys", () => {
  const vector = readTwoKeysVector();

  it.runIf(vector !== null)("is possible with AES-GCM alone, which is why the key id picks one key", () => {
    const { key1, key2, iv, aad, ct, tag, msg1, msg2 } = vector ?? {};
    const sealed = { nonce: iv ?? master, ciphertext: ct ?? master, tag: tag ?? master };
    expect(openBytes(key1 ?? master, aad ?? master, sealed)).toEqual(msg1);
    expect(openBytes(key2 ?? master, aad ?? master, sealed)).toEqual(msg2);
    // The AAD of a record holds the key id, so one AAD never belongs to two keys of a store.
    expect(() => openByHand({ ...sealedParts(envelope) }, "00000000")).toThrow();
  });
});

interface Parts {
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

function sealedParts({ nonce, ciphertext, tag }: Record<keyof Parts, string>): Parts {
  return { nonce: bytes(nonce), ciphertext: bytes(ciphertext), tag: bytes(tag) };
}

/** From here on: what the document says, and nothing of the package. */
function openByHand(parts: Parts, keyId: string = envelope.keyId): string {
  const [entry] = header.dataKeys;
  const wrapped = bytes(entry?.wrapped ?? "");
  const wrapping = { nonce: wrapped.subarray(0, 12), ciphertext: wrapped.subarray(12, 44), tag: wrapped.subarray(44) };
  const wrapAad = list(["autokestra data key", 1, header.storeId, entry?.id ?? null]);
  const dataKey = decrypt(derive("autokestra v1 key encryption"), wrapAad, wrapping);
  const { id, name, type, version, expiresAt } = record;
  const aad = list(["autokestra secret", 1, header.storeId, id, name, type, version, keyId, expiresAt]);
  return decrypt(dataKey, aad, parts).toString("utf8");
}

function derive(info: string): Buffer {
  return Buffer.from(hkdfSync("sha256", master, bytes(header.kdf.salt), info, 32));
}

function list(fields: readonly (string | number | null)[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      const text = Buffer.from(field === null ? "" : String(field));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(field === null ? 0xffffffff : text.length);
      return Buffer.concat([length, text]);
    }),
  );
}

function decrypt(key: Uint8Array, aad: Uint8Array, { nonce, ciphertext, tag }: Parts): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad).setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

import { createDecipheriv, createHmac, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  createMemoryStore,
  type Envelope,
  type MasterKeyProvider,
  type Plaintext,
  type RecordIdentity,
} from "@autokestra/secrets-core";
import { describe, expect, it } from "vitest";
import { openBytes } from "../src/aes-gcm.ts";
import { createSecretEncryption, createStoreKeys, type StoreHeader, type StoreKeys } from "../src/index.ts";
import { readTwoKeysVector } from "./vectors.ts";

const document: string = readFileSync(new URL("../../../docs/FORMAT.md", import.meta.url), "utf8");
const header: StoreHeader & { mac: string } = JSON.parse(example("header"));
const { record, envelope: written }: { record: RecordIdentity; envelope: Record<keyof Envelope, string> } = JSON.parse(
  example("record"),
);
const envelope: Envelope = {
  format: Number(written.format),
  keyId: written.keyId,
  nonce: bytes(written.nonce),
  ciphertext: bytes(written.ciphertext),
  tag: bytes(written.tag),
};
const master: Buffer = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const plaintext = '{"value":"s3cret"}' as Plaintext;

function example(name: string): string {
  return new RegExp(`\`\`\`json ${name}\\n([\\s\\S]*?)\`\`\``).exec(document)?.[1] ?? "";
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "base64");
}

type Open = (record: RecordIdentity, envelope: Envelope) => Promise<string>;

const openers: readonly (readonly [string, Open])[] = [
  ["the package", openByPackage],
  ["node:crypto alone", async (...sealed) => openByHand(...sealed)],
];

describe.each(openers)("docs/FORMAT.md and %s", (_, open) => {
  it("open the example", async () => {
    expect(document).toContain(plaintext);
    expect(await open(record, envelope)).toBe(plaintext);
  });

  it.each(["nonce", "ciphertext", "tag"] as const)("refuse it with any byte of its %s changed", async (part) => {
    for (const at of envelope[part].keys()) {
      const changed = Buffer.from(envelope[part]);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      await expect(open(record, { ...envelope, [part]: changed })).rejects.toThrow();
    }
  });

  it.each<[string, Partial<RecordIdentity>]>([
    ["id", { id: "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d" }],
    ["name", { name: "API_KEY2" as RecordIdentity["name"] }],
    ["type", { type: "custom" }],
    ["version", { version: 4 }],
    ["expiry", { expiresAt: null }],
  ])("refuse it with another %s", async (__, change) => {
    await expect(open({ ...record, ...change }, envelope)).rejects.toThrow();
  });

  it("refuse it under another key id", async () => {
    await expect(open(record, { ...envelope, keyId: "00000000" })).rejects.toThrow();
  });
});

describe("docs/FORMAT.md", () => {
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
  const { key1, key2, iv, aad, ct, tag, msg1, msg2 } = vector ?? {};
  const [one = master, two = master] = [key1, key2];
  const sealed = { nonce: iv ?? master, ciphertext: ct ?? master, tag: tag ?? master };

  it.runIf(vector !== null)("is possible with AES-GCM alone", () => {
    expect(openBytes(one, aad ?? master, sealed)).toEqual(msg1);
    expect(openBytes(two, aad ?? master, sealed)).toEqual(msg2);
  });

  it.runIf(vector !== null)(
    "is no record under the id of either key, and a record under one is none under the other",
    async () => {
      const keys = await storeKeys();
      const ids = ["00000001", "00000002"] as const;
      const dataKeys = [
        { id: ids[0], bytes: one },
        { id: ids[1], bytes: two },
      ] as const;
      const find = (keyId: string) => dataKeys.find(({ id }) => id === keyId) ?? null;
      const keyring = { ...(await keys.current()), active: dataKeys[0], find };
      const encryption = createSecretEncryption({
        ...keys,
        forSeal: async () => keyring,
        forOpen: async () => keyring,
      });
      const { envelope: ours } = await encryption.seal(record, plaintext);
      expect(await encryption.open(record, ours)).toBe(plaintext);
      const refused: Envelope[] = [
        { ...ours, keyId: ids[1] },
        ...ids.map((keyId) => ({ format: 1, keyId, ...sealed })),
      ];
      for (const other of refused) {
        await expect(encryption.open(record, other)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
      }
    },
  );
});

/** The keys of a store that has the header of the document. */
async function storeKeys(): Promise<StoreKeys> {
  const key = () => ({ source: "TEST", otherSource: null, kind: "bytes" as const, material: Buffer.from(master) });
  const provider: MasterKeyProvider = {
    load: async () => key(),
    generate: async () => key(),
    pending: async () => [],
  };
  const store = createMemoryStore();
  await store.writeHeader(JSON.stringify(header), null);
  return createStoreKeys(store, provider);
}

async function openByPackage(identity: RecordIdentity, sealed: Envelope): Promise<string> {
  return await createSecretEncryption(await storeKeys()).open(identity, sealed);
}

/** From here on: what the document says, and nothing of the package. */
function openByHand({ id, name, type, version, expiresAt }: RecordIdentity, { keyId, ...parts }: Envelope): string {
  const [entry] = header.dataKeys;
  const wrapped = bytes(entry?.wrapped ?? "");
  const wrapping = { nonce: wrapped.subarray(0, 12), ciphertext: wrapped.subarray(12, 44), tag: wrapped.subarray(44) };
  const wrapAad = list(["autokestra data key", 1, header.storeId, entry?.id ?? null]);
  const dataKey = decrypt(derive("autokestra v1 key encryption"), wrapAad, wrapping);
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

function decrypt(
  key: Uint8Array,
  aad: Uint8Array,
  { nonce, ciphertext, tag }: Omit<Envelope, "format" | "keyId">,
): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad).setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

import { readFileSync } from "node:fs";
import {
  createMemoryStore,
  type EncryptedSecret,
  type Envelope,
  type Plaintext,
  type SecretEncryption,
  type SecretMetadata,
} from "@autokestra/secrets-core";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import { describe, expect, it } from "vitest";
import { decryptBytes } from "../src/aes-gcm.ts";
import { createKeyManager, createSecretEncryption, type KeyManager } from "../src/index.ts";
import { deriveByHand, headerMac, openByHand, type RawHeader, recordMacByHand } from "./by-hand.ts";
import { KeyPlace } from "./test-keys.ts";
import { readTwoKeysVector } from "./vectors.ts";

const document: string = readFileSync(new URL("../../../docs/FORMAT.md", import.meta.url), "utf8");
const master: Buffer = Buffer.from(Array.from({ length: 32 }, (_, index) => index));

/** An example of the document. */
interface Example {
  readonly header: RawHeader;
  readonly secret: EncryptedSecret;
  readonly plaintext: string;
}

function readExample(format: 1 | 2, plaintext: string): Example {
  const { record, envelope, mac = null } = JSON.parse(codeOf(`record-${format}`));
  const [nonce, ciphertext, tag] = [envelope.nonce, envelope.ciphertext, envelope.tag].map((text) =>
    Buffer.from(text, "base64"),
  );
  const metadata: SecretMetadata = { ...sampleSecret("X").metadata, ...record };
  const secret = { metadata, envelope: { ...envelope, nonce, ciphertext, tag }, mac };
  return { header: JSON.parse(codeOf(`header-${format}`)), secret, plaintext };
}

function codeOf(name: string): string {
  return new RegExp(`\`\`\`json ${name}\\n([\\s\\S]*?)\`\`\``).exec(document)?.[1] ?? "";
}

const first: Example = readExample(1, '{"value":"s3cret"}');
const second: Example = readExample(
  2,
  '{"fields":{"username":"kim","password":"s3cret"},"public":[],"masked":["username"]}',
);

/** The keys of a store that has this header. */
function storeKeys({ format, ...header }: RawHeader): KeyManager {
  const place = new KeyPlace();
  const key = { source: "TEST", kind: "bytes" as const, stretchingForNewStore: async () => null };
  place.keys = [{ ...key, bytes: async (stretching) => (stretching === null ? Buffer.from(master) : null) }];
  const text = JSON.stringify({ format, ...header });
  return createKeyManager(createMemoryStore({ layout: format === 1 ? 1 : 2, header: text }), place);
}

function encryptionOf(header: RawHeader): SecretEncryption {
  return createSecretEncryption(storeKeys(header));
}

type Open = (header: RawHeader, metadata: SecretMetadata, envelope: Envelope) => Promise<string>;

const openers: readonly (readonly [string, Open])[] = [
  ["the package", async (header, ...sealed) => await encryptionOf(header).decrypt(...sealed)],
  ["node:crypto alone", async (header, ...sealed) => openByHand(header, master, ...sealed)],
];

const cases = openers.flatMap(([by, open]) => [
  { name: `format 1 and ${by}`, open, ...first },
  { name: `format 2 and ${by}`, open, ...second },
  { name: `format 1 in a header of format 2 and ${by}`, open, ...first, header: second.header },
]);

describe.each(cases)("docs/FORMAT.md, $name", ({ open, header, secret: { metadata, envelope }, plaintext }) => {
  it("open the example", async () => {
    expect(document).toContain(plaintext);
    expect(await open(header, metadata, envelope)).toBe(plaintext);
  });

  it.each(["nonce", "ciphertext", "tag"] as const)("refuse it with any byte of its %s changed", async (part) => {
    for (const at of envelope[part].keys()) {
      const changed = Buffer.from(envelope[part]);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      await expect(open(header, metadata, { ...envelope, [part]: changed })).rejects.toThrow();
    }
  });

  it.each<[string, Partial<SecretMetadata>]>([
    ["id", { id: "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d" }],
    ["name", { name: sampleSecret("API_KEY2").metadata.name }],
    ["type", { type: "custom" }],
    ["version", { version: 4 }],
    ["expiry", { expiresAt: null }],
  ])("refuse it with another %s", async (__, change) => {
    await expect(open(header, { ...metadata, ...change }, envelope)).rejects.toThrow();
  });

  it("refuse it under another key id, and in another format", async () => {
    await expect(open(header, metadata, { ...envelope, keyId: "00000000" })).rejects.toThrow();
    await expect(open(header, metadata, { ...envelope, format: 3 - envelope.format })).rejects.toThrow();
  });
});

describe("docs/FORMAT.md", () => {
  it.each([first, second])("has headers that are authenticated as it says", ({ header }) => {
    const { header: headerKey, check } = deriveByHand(header, master);
    expect({ mac: headerMac(header, headerKey), keyCheck: check.toString("base64") }).toEqual({
      mac: header.mac,
      keyCheck: header.keyCheck,
    });
  });

  it("has a header of format 2 that is the upgraded one of format 1", async () => {
    const { epoch, serviceKeys: _serviceKeys, fingerprint, extensions, dataKeys, ...rest } = second.header;
    const { dataKeys: firstKeys, ...firstRest } = first.header;
    expect({ ...rest, format: 1, mac: first.header.mac }).toEqual(firstRest);
    expect(dataKeys[0]).toEqual({ ...firstKeys[0], state: "decrypt-only", format: 1, namespace: null });
    expect({ epoch, extensions }).toEqual({ epoch: 1, extensions: [] });
    expect(document).toContain(`is \`${fingerprint}\``);
    expect(deriveByHand(first.header, master).fingerprint).toBe(fingerprint);
  });

  it("has a mac that the package and node:crypto alone come to", async () => {
    const { header, secret } = second;
    await encryptionOf(header).verify(secret);
    expect(recordMacByHand(header, master, secret)).toBe(secret.mac);
    for (const [field, value] of Object.entries(sampleSecret("OTHER", { revision: 9, description: "x" }).metadata)) {
      if (JSON.stringify(Reflect.get(secret.metadata, field)) === JSON.stringify(value)) continue;
      const changed = { ...secret, metadata: { ...secret.metadata, [field]: value } };
      await expect(encryptionOf(header).verify(changed), field).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
    }
  });
});

describe("a ciphertext that opens under two keys", () => {
  const { key1, key2, iv, aad, ct, tag, msg1, msg2 } = readTwoKeysVector();
  const sealed = { nonce: iv, ciphertext: ct, tag };

  it("is possible with AES-GCM alone", () => {
    expect(decryptBytes(key1, aad, sealed)).toEqual(msg1);
    expect(decryptBytes(key2, aad, sealed)).toEqual(msg2);
  });

  it("is no record under the id of either key, and a record under one is none under the other", async () => {
    const keys = storeKeys(second.header);
    const ids = ["00000001", "00000002"] as const;
    const dataKeys = [
      { id: ids[0], bytes: key1, format: 2 as const },
      { id: ids[1], bytes: key2, format: 2 as const },
    ] as const;
    const find = (keyId: string) => dataKeys.find(({ id }) => id === keyId) ?? null;
    const keyring = { ...(await keys.keyring()), active: dataKeys[0], find };
    const encryption = createSecretEncryption({
      keyring: async () => keyring,
      forEncrypt: async () => keyring,
      forDecrypt: async () => keyring,
      forVerify: async () => keyring,
      close: () => keys.close(),
    });
    const { metadata } = second.secret;
    const plaintext = second.plaintext as Plaintext;
    const { secrets } = await encryption.encrypt([{ metadata, plaintext }]);
    const ours = secrets[0]?.envelope ?? second.secret.envelope;
    expect(await encryption.decrypt(metadata, ours)).toBe(plaintext);
    const refused: Envelope[] = [{ ...ours, keyId: ids[1] }, ...ids.map((keyId) => ({ format: 2, keyId, ...sealed }))];
    for (const other of refused) {
      await expect(encryption.decrypt(metadata, other)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
    }
  });
});

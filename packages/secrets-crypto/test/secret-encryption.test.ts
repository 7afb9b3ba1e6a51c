import {
  AutokestraError,
  createMemoryStore,
  type EncryptedSecret,
  type Envelope,
  type Plaintext,
  parseSecretName,
  type RecordIdentity,
  type SecretEncryption,
  type SecretMetadata,
  type SecretStore,
} from "@autokestra/secrets-core";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { createKeyManager, createSecretEncryption, type KeyManager, type Keyring } from "../src/index.ts";
import { encryptByHand, makeHeaderV1, openByHand, type RawHeader, recordMacByHand } from "./by-hand.ts";
import { KeyPlace, testKey } from "./test-keys.ts";

const MASTER = Buffer.alloc(32, 3);

function createKeys(store: SecretStore = createMemoryStore()): KeyManager {
  return createKeyManager(store, new KeyPlace(3));
}

/** An encryption that always has this keyring, whatever a record asks for. */
function encryptionWith(keyring: Keyring): SecretEncryption {
  return createSecretEncryption({
    keyring: async () => keyring,
    forEncrypt: async () => keyring,
    forDecrypt: async () => keyring,
    forVerify: async () => keyring,
    close: () => undefined,
  });
}

async function encryptOne(by: SecretEncryption, metadata: SecretMetadata, text: string): Promise<EncryptedSecret> {
  const { secrets } = await by.encrypt([{ metadata, plaintext: text as Plaintext }]);
  const [sealed] = secrets;
  if (sealed === undefined) throw new Error("nothing was sealed");
  return sealed;
}

const store = createMemoryStore();
const keys = createKeys(store);
const ring = await keys.forEncrypt(0);
const encryption = createSecretEncryption(keys);
const record: SecretMetadata = {
  ...sampleSecret("NAME").metadata,
  description: "d",
  tags: ["a", "b"],
  expiresAt: "2030-01-01T00:00:00.000Z",
  importedId: 7,
  policy: '{"x":1}',
};
const plaintext = '{"fields":{"value":"v"},"public":[],"masked":[]}' as Plaintext;
const sealed = await encryptOne(encryption, record, plaintext);
const { envelope } = sealed;

/** Anything of the record that a ciphertext is bound to. */
const OTHER_IDENTITY: [string, Partial<RecordIdentity>][] = [
  ["id", { id: "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d" }],
  ["name", { name: parseSecretName("NAME2") }],
  ["type", { type: "custom" }],
  ["version", { version: 2 }],
  ["expiry", { expiresAt: "2031-01-01T00:00:00.000Z" }],
  ["expiry removed", { expiresAt: null }],
  ["policy", { policy: '{"x":2}' }],
  ["policy removed", { policy: null }],
  ["policy of no text", { policy: "" }],
];

/** Anything else that the MAC of a current version covers. */
const OTHER_METADATA: [string, Partial<SecretMetadata>][] = [
  ...OTHER_IDENTITY,
  ["revision", { revision: 2 }],
  ["description", { description: "e" }],
  ["description removed", { description: null }],
  ["tag added", { tags: ["a", "b", "c"] }],
  ["tags in another order", { tags: ["b", "a"] }],
  ["tags made one", { tags: ["ab"] }],
  ["tags removed", { tags: [] }],
  ["creation", { createdAt: "2026-01-02T03:04:05.679Z" }],
  ["change", { updatedAt: "2026-01-02T03:04:05.679Z" }],
  ["imported id", { importedId: 8 }],
  ["imported id removed", { importedId: null }],
];

describe("encrypting and decrypting", () => {
  it("gives back the text, and leaves a copy of nothing in the envelope", async () => {
    expect(await encryption.decrypt(record, envelope)).toBe(plaintext);
    expect(envelope).toMatchObject({ format: 2, keyId: ring.active.id });
    const { nonce, ciphertext, tag } = envelope;
    expect([nonce.length, ciphertext.length, tag.length]).toEqual([12, plaintext.length, 16]);
  });

  it("gives back every well-formed text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: anyCharacter }), async (text) => {
        expect(await encryption.decrypt(record, (await encryptOne(encryption, record, text)).envelope)).toBe(text);
      }),
    );
  });

  it("does what docs/FORMAT.md says", async () => {
    const header: RawHeader = JSON.parse((await store.readHeader()) ?? "");
    expect(openByHand(header, MASTER, record, envelope)).toBe(plaintext);
    expect(
      await encryption.decrypt(record, encryptByHand({ header, master: MASTER, format: 2 }, record, "by hand")),
    ).toBe("by hand");
    expect(sealed.mac).toBe(recordMacByHand(header, MASTER, sealed));
  });

  it("encrypts nothing of a batch that contains half a surrogate pair, and creates no header for it", async () => {
    const fresh = createMemoryStore();
    const batch = ["fine", "\ud800"].map((text) => ({ metadata: record, plaintext: text as Plaintext }));
    await expect(createSecretEncryption(createKeys(fresh)).encrypt(batch)).rejects.toMatchObject({
      code: "VALUE_INVALID",
    });
    expect(await fresh.readHeader()).toBe(null);
  });

  it.each(OTHER_IDENTITY)("refuses a record with another %s", async (_, change) => {
    await expect(encryption.decrypt({ ...record, ...change }, envelope)).rejects.toMatchObject({
      code: "INTEGRITY_FAILED",
    });
  });

  it.each<[string, Partial<Envelope>]>([
    ["format", { format: 1 }],
    ["format 0", { format: 0 }],
    ["format 3", { format: 3 }],
    ["key id", { keyId: "00000000" }],
    [
      "key id in upper case",
      { keyId: ring.active.id.toUpperCase() === ring.active.id ? "FFFFFFFF" : ring.active.id.toUpperCase() },
    ],
    ["empty key id", { keyId: "" }],
    ["id of the service key", { keyId: ring.header.serviceKeys[0]?.id ?? "" }],
    ["empty nonce", { nonce: new Uint8Array() }],
    ["empty tag", { tag: new Uint8Array() }],
    ["empty ciphertext", { ciphertext: new Uint8Array() }],
    ["longer ciphertext", { ciphertext: Buffer.concat([envelope.ciphertext, Buffer.alloc(1)]) }],
    ["longer tag", { tag: Buffer.concat([envelope.tag, Buffer.alloc(1)]) }],
  ])("refuses an envelope with another %s", async (_, change) => {
    await expect(encryption.decrypt(record, { ...envelope, ...change })).rejects.toMatchObject({
      code: "INTEGRITY_FAILED",
    });
  });

  it("says the same of a wrong key and of a changed record", async () => {
    const other = await createKeys().forEncrypt(1);
    // The same id with other bytes is what a wrong key looks like from outside.
    const wrongKey = encryptionWith({ ...ring, find: () => other.active }).decrypt(record, envelope);
    const changed = encryption.decrypt(record, { ...envelope, tag: Buffer.alloc(16) });
    const forged = encryption.verify({ ...sealed, mac: null });
    const texts = await Promise.all(
      [wrongKey, changed, forged].map(async (attempt) => await attempt.then(() => "", describeError)),
    );
    expect(texts[0]).toMatch(/INTEGRITY_FAILED Secret 'NAME' cannot be opened/);
    expect(new Set(texts).size).toBe(1);
  });

  it("refuses the ciphertext and the mac of another store under the same keys", async () => {
    const header = { ...ring.header, storeId: "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d" };
    const attempt = encryptionWith({ ...ring, header }).decrypt(record, envelope);
    await expect(attempt).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
  });

  it("refuses every flipped bit of every part, in the record and in the envelope", async () => {
    let flips = 0;
    for (const part of ["nonce", "ciphertext", "tag"] as const) {
      for (let bit = 0; bit < envelope[part].length * 8; bit++) {
        const bytes = Buffer.from(envelope[part]);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        await expect(encryption.decrypt(record, { ...envelope, [part]: bytes })).rejects.toMatchObject({
          code: "INTEGRITY_FAILED",
        });
        flips += 1;
      }
    }
    expect(flips).toBe((12 + plaintext.length + 16) * 8);
  });

  it("wipes the keys and stops when it closes", async () => {
    const own = createKeys();
    const { active } = await own.forEncrypt(1);
    const closing = createSecretEncryption(own);
    await encryptOne(closing, record, plaintext);
    closing.close();
    for (const use of [
      encryptOne(closing, record, plaintext),
      closing.decrypt(record, envelope),
      closing.verify(sealed),
      closing.authenticate([sealed]),
      closing.refresh(),
    ]) {
      await expect(use).rejects.toMatchObject({ code: "KEY_MISSING" });
    }
    expect(active.bytes.equals(Buffer.alloc(32))).toBe(true);
  });
});

describe("a batch", () => {
  const batch = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      metadata: sampleSecret(`A${index}`).metadata,
      plaintext: `{"n":${index}}` as Plaintext,
    }));

  it("of more than a reservation is encrypted under one data key while others add new ones", async () => {
    const shared = createMemoryStore();
    const [own, other] = [createKeys(shared), createKeys(shared)];
    const writer = createSecretEncryption(own);
    await encryptOne(writer, record, plaintext);
    const sealing = writer.encrypt(batch(4200));
    for (let rotation = 0; rotation < 3; rotation++) {
      await other.addDataKey();
      await own.keyring();
    }
    const { secrets, header } = await sealing;
    const { dataKeys }: RawHeader = JSON.parse(header ?? "");
    const active = dataKeys.find(({ state }) => state === "active");
    expect(new Set(secrets.map(({ envelope: { keyId } }) => keyId))).toEqual(new Set([active?.id]));
    expect(secrets).toHaveLength(4200);
    expect(active?.seals).toBeGreaterThanOrEqual(4200);
  });

  it("that a rotation has overtaken is accepted by no store, and decrypts once it is encrypted again", async () => {
    const shared = createMemoryStore();
    const [own, other] = [createKeys(shared), createKeys(shared)];
    const writer = createSecretEncryption(own);
    const inputs = batch(4200);
    const overtaken = await writer.encrypt(inputs);
    const old = await other.keyring();
    await other.addDataKey();
    await other.destroyDataKeys([old.header.dataKeys[0]?.id ?? ""]);
    const put = async ({ secrets, header }: typeof overtaken) =>
      await shared.put(
        secrets.map((secret) => ({ secret, expected: null })),
        header,
      );
    await expect(put(overtaken)).rejects.toMatchObject({ code: "HEADER_CHANGED" });
    await writer.refresh();
    await put(await writer.encrypt(inputs));
    const reader = createSecretEncryption(createKeys(shared));
    for (const id of await shared.ids()) {
      const secret = await shared.find(id);
      if (secret === null) throw new Error("it is gone");
      await reader.verify(secret);
      expect(await reader.decrypt(secret.metadata, secret.envelope)).toMatch(/^\{"n":\d+\}$/);
    }
  });

  it("has different nonces, and macs that hold", async () => {
    const { secrets } = await encryption.encrypt(batch(1000));
    const nonces = new Set(secrets.map(({ envelope: { nonce } }) => Buffer.from(nonce).toString("hex")));
    expect(nonces.size).toBe(1000);
    for (const secret of secrets) await encryption.verify(secret);
  });

  it("lets the rest of the process have a turn", async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 0);
    await encryption.encrypt(batch(4000));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(2);
  });

  it("of no secrets is encrypted under the stored header", async () => {
    expect(await encryption.encrypt([])).toEqual({ secrets: [], header: await store.readHeader() });
  });
});

describe("the mac of a current version", () => {
  it("is that of the metadata, the version and its nonce", async () => {
    expect(sealed.mac).toMatch(/^[0-9a-f]{8}:[A-Za-z0-9+/]{43}=$/);
    expect(sealed.mac?.startsWith(`${ring.header.serviceKeys[0]?.id}:`)).toBe(true);
    await encryption.verify(sealed);
  });

  it.each(OTHER_METADATA)("refuses another %s", async (_, change) => {
    await expect(encryption.verify({ ...sealed, metadata: { ...record, ...change } })).rejects.toMatchObject({
      code: "INTEGRITY_FAILED",
    });
  });

  it("covers every field of the metadata", () => {
    const changed = new Set(OTHER_METADATA.flatMap(([, change]) => Object.keys(change)));
    expect([...changed, "deletedAt"].sort()).toEqual(Object.keys(record).sort());
  });

  it("refuses another version that is made the current one", async () => {
    const older = await encryptOne(encryption, record, "older");
    await expect(encryption.verify({ ...sealed, envelope: older.envelope })).rejects.toMatchObject({
      code: "INTEGRITY_FAILED",
    });
  });

  it("covers no ciphertext: that has a tag, which its nonce and key belong to", async () => {
    await encryption.verify({ ...sealed, envelope: { ...envelope, ciphertext: new Uint8Array() } });
  });

  const [id = "", code = ""] = sealed.mac?.split(":") ?? [];
  it.each([
    ["none", null],
    ["an empty one", ""],
    ["one without a key id", code],
    ["one of an unknown key", `00000000:${code}`],
    ["one of the data key", `${ring.active.id}:${code}`],
    ["no more than its key", `${id}:`],
    ["a shorter one", `${id}:${code.slice(0, 22)}`],
    ["one in another spelling", `${id}:${code.replace("=", "")}`],
    ["one of other bytes", `${id}:${Buffer.alloc(32).toString("base64")}`],
  ])("refuses %s", async (_, mac) => {
    await expect(encryption.verify({ ...sealed, mac })).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
  });

  it("refuses one under a service key that was destroyed, and takes one under a retired one", async () => {
    const retire = (state: "decrypt-only" | "destroyed") =>
      ring.change((header, wrapper) => {
        const [old] = header.serviceKeys;
        if (old === undefined) throw new Error("no service key");
        const wrapped = wrapper.wrapServiceKey({ id: "0000cafe", bytes: Buffer.alloc(32, 8) });
        const kept = { ...old, state, wrapped: state === "destroyed" ? null : old.wrapped };
        return { ...header, serviceKeys: [kept, { id: "0000cafe", state: "active" as const, wrapped }] };
      });
    expect(retire("decrypt-only").checkMac(sealed, sealed.mac)).toBe(true);
    expect(retire("decrypt-only").authenticate(sealed)).toMatch(/^0000cafe:/);
    expect(retire("destroyed").checkMac(sealed, sealed.mac)).toBe(false);
  });

  const deletedAt = "2026-06-06T06:06:06.666Z";

  it("may be the one from before it was deleted, as that needs no key", async () => {
    await encryption.verify({ ...sealed, metadata: { ...record, deletedAt } });
  });

  it("refuses that a deleted secret is brought back, or was deleted at another time", async () => {
    const { secrets } = await encryption.authenticate([{ ...sealed, metadata: { ...record, deletedAt } }]);
    const [deleted] = secrets;
    if (deleted === undefined) throw new Error("nothing was authenticated");
    await encryption.verify(deleted);
    for (const other of [null, "2026-06-06T06:06:06.667Z"]) {
      const changed = { ...deleted, metadata: { ...deleted.metadata, deletedAt: other } };
      await expect(encryption.verify(changed)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
    }
  });

  it("is made anew for changed metadata, under the header that is stored", async () => {
    const changed = { ...sealed, metadata: { ...record, tags: ["x"], revision: 2 } };
    const { secrets, header } = await encryption.authenticate([changed]);
    expect(header).toBe(await store.readHeader());
    for (const secret of secrets) {
      await encryption.verify(secret);
      expect(secret.envelope).toBe(envelope);
    }
  });

  it("holds after the master key and the data key were rotated, and in a process that knew the keys before", async () => {
    const shared = createMemoryStore();
    const [own, other] = [createKeys(shared), createKeys(shared)];
    const [one, two] = [createSecretEncryption(own), createSecretEncryption(other)];
    const before = await encryptOne(one, record, plaintext);
    await two.refresh();
    await own.addDataKey();
    await own.rotateMasterKey(testKey(3));
    for (const by of [one, two]) await by.verify(before);
    await two.verify(await encryptOne(one, record, plaintext));
  });
});

describe("a store that version 1 has written", () => {
  const header = makeHeaderV1(MASTER);
  const old = encryptByHand({ header, master: MASTER, format: 1 }, record, '{"value":"v"}');
  const secretV1: EncryptedSecret = {
    metadata: { ...record, policy: null, importedId: null },
    envelope: old,
    mac: null,
  };

  function openV1(): { shared: SecretStore; own: KeyManager; by: SecretEncryption } {
    const shared = createMemoryStore({ layout: 1, header: JSON.stringify(header), secrets: [secretV1] });
    const own = createKeys(shared);
    return { shared, own, by: createSecretEncryption(own) };
  }

  it("opens, needs no macs, and is left as it is", async () => {
    const { shared, by } = openV1();
    expect(await by.decrypt(secretV1.metadata, old)).toBe('{"value":"v"}');
    await by.verify(secretV1);
    await expect(by.verify({ ...secretV1, mac: sealed.mac })).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
    expect([await shared.layout(), await shared.readHeader()]).toEqual([1, JSON.stringify(header)]);
  });

  it("still opens after its upgrade, but with a mac, and as nothing but format 1", async () => {
    const { shared, by } = openV1();
    const next = await encryptOne(by, record, plaintext);
    const upgraded = await shared.find(record.id);
    if (upgraded === null) throw new Error("it is gone");
    expect(next.envelope.format).toBe(2);
    expect(await by.decrypt(upgraded.metadata, upgraded.envelope)).toBe('{"value":"v"}');
    await by.verify(upgraded);
    await expect(by.verify(secretV1)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
    for (const forged of [
      { ...old, format: 2 },
      { ...next.envelope, format: 1 },
      { ...old, keyId: next.envelope.keyId },
    ]) {
      await expect(by.decrypt(record, forged)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
    }
  });

  it("opens no row of format 1 once the data key was rotated", async () => {
    const { shared, own, by } = openV1();
    const { secrets, header: text } = await by.encrypt([{ metadata: record, plaintext }]);
    await shared.reencrypt([{ secret: secrets[0] ?? sealed, nonce: old.nonce }], text);
    await own.destroyDataKeys(header.dataKeys.map(({ id }) => id));
    await expect(by.decrypt(secretV1.metadata, old)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
  });

  it("asks a running process for macs once another has upgraded it", async () => {
    const { shared, by } = openV1();
    await by.verify(secretV1);
    await createKeys(shared).forEncrypt(0);
    await expect(by.verify(secretV1)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
    const upgraded = await shared.find(record.id);
    await by.verify(upgraded ?? secretV1);
  });
});

function describeError(error: unknown): string {
  return error instanceof AutokestraError ? `${error.code} ${error.message} ${error.hint}` : String(error);
}

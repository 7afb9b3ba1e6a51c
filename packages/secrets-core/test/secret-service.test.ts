import { beforeEach, describe, expect, it } from "vitest";
import {
  AutokestraError,
  createMemoryStore,
  createSecretService,
  type EncryptedSecret,
  parseSecretName,
  type SecretEncryption,
  type SecretInput,
  type SecretMetadata,
  type SecretService,
} from "../src/index.ts";
import { MAX_SECRET_LENGTH } from "../src/internal.ts";

/** Turns the text around, unit by unit: enough to see that the store never gets it as it is. The mac is what it covers. */
function createReversal(): SecretEncryption {
  const turn = (text: string) => Array.from(text).toReversed().join("");
  const bytes = (text: string) => Uint8Array.from(encodeURIComponent(text), (character) => character.charCodeAt(0));
  const macOf = (metadata: SecretMetadata, nonce: Uint8Array) => JSON.stringify([metadata, String(nonce)]);
  let seals = 0;
  return {
    async encrypt(secrets) {
      const sealed = secrets.map(({ metadata, plaintext }) => {
        seals += 1;
        const nonce = bytes(String(seals));
        const envelope = { format: 2, keyId: "00000000", nonce, ciphertext: bytes(turn(plaintext)), tag: bytes("") };
        return { metadata, envelope, mac: macOf(metadata, nonce) };
      });
      return { secrets: sealed, header: null };
    },
    async authenticate(secrets) {
      const all = secrets.map((one) => ({ ...one, mac: macOf(one.metadata, one.envelope.nonce) }));
      return { secrets: all, header: null };
    },
    async decrypt(_record, { ciphertext }) {
      return turn(decodeURIComponent(String.fromCharCode(...ciphertext))) as Awaited<
        ReturnType<SecretEncryption["decrypt"]>
      >;
    },
    async verify({ metadata, envelope, mac }) {
      const accepted = [metadata, { ...metadata, deletedAt: null }].map((one) => macOf(one, envelope.nonce));
      if (!accepted.includes(mac ?? "")) throw new AutokestraError("INTEGRITY_FAILED", "forged");
    },
    async refresh() {
      // There are no keys to read.
    },
    close() {
      // There are no keys to wipe.
    },
  };
}

let ids = 0;
const encryption = createReversal();

beforeEach(() => {
  ids = 0;
});

/** @param clock milliseconds that have passed, one more at each look */
function createService(store = createMemoryStore(), clock = { passed: 0 }, maxVersions?: number): SecretService {
  return createSecretService({
    store,
    encryption,
    maxVersions,
    now: () => new Date(Date.UTC(2026, 0, 1) + clock.passed++).toISOString(),
    newId: () => `00000000-0000-4000-8000-${String(ids++).padStart(12, "0")}`,
  });
}

const key = (value: string, more: Partial<SecretInput> = {}): SecretInput => ({
  name: "KEY",
  type: "apiKey",
  fields: { value },
  ...more,
});

describe("SecretService", () => {
  it("replaces the single value of a secret, and nothing else", async () => {
    const service = createService();
    const fields = { token: "t1", expiresAt: "2030-01-01" };
    await service.create({ name: "T", type: "bearerToken", fields, tags: ["a"] });
    const { revision, id } = await service.setValue("T", "t2", { keepExpiry: true, description: "d" });
    const { metadata, ...read } = await service.get("T");
    expect(read.fields).toEqual({ token: "t2", expiresAt: "2030-01-01T00:00:00.000Z" });
    expect(metadata).toMatchObject({
      version: 2,
      tags: ["a"],
      description: "d",
      expiresAt: "2030-01-01T00:00:00.000Z",
    });
    await expect(service.setValue("T", "t3", {}, { ifId: id, ifRevision: revision - 1 })).rejects.toMatchObject({
      code: "VERSION_CONFLICT",
    });
    await service.create({ name: "B", type: "basicAuth", fields: { username: "u", password: "p" } });
    await expect(service.setValue("B", "x")).rejects.toMatchObject({ code: "VALUE_INVALID" });
    await expect(service.setValue("NONE", "x")).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
  });

  it("replaces flags, or adds to them", async () => {
    const service = createService();
    await service.create({ name: "C", type: "custom", fields: { a: "1", b: "2" }, publicFields: ["a"] });
    const flagsAfter = async (change: Parameters<SecretService["edit"]>[1]) => {
      await service.edit("C", change);
      return (await service.get("C")).flags;
    };
    expect(await flagsAfter({ publicFields: ["b"] })).toEqual({ public: ["a", "b"], masked: [] });
    expect(await flagsAfter({ publicFields: ["b"], replacesFlags: true })).toEqual({ public: ["b"], masked: [] });
    expect(await flagsAfter({ maskFields: ["a"], replacesFlags: true })).toEqual({ public: ["b"], masked: ["a"] });
    expect(await flagsAfter({ maskFields: [], replacesFlags: true })).toEqual({ public: ["b"], masked: [] });
  });

  it("gives back what it was given, with its metadata", async () => {
    const service = createService();
    const written = await service.create(
      key("v1", { description: "d", tags: ["a", "b", "a"], expiresAt: "2030-01-01" }),
    );
    expect(written).toEqual({
      id: "00000000-0000-4000-8000-000000000000",
      name: "KEY",
      type: "apiKey",
      description: "d",
      tags: ["a", "b"],
      version: 1,
      revision: 1,
      createdAt: "2026-01-01T00:00:00.000Z",
      updatedAt: "2026-01-01T00:00:00.000Z",
      expiresAt: "2030-01-01T00:00:00.000Z",
      deletedAt: null,
      importedId: null,
      policy: null,
    });
    const flags = { public: [], masked: [] };
    expect(await service.get("KEY")).toEqual({ metadata: written, fields: { value: "v1" }, flags });
    expect(await service.find("KEY")).toEqual(written);
    expect(await service.list()).toEqual([written]);
  });

  it("keeps id, creation time, description and tags over an update, and drops the expiry of the old value", async () => {
    const service = createService();
    await service.create(key("v1", { description: "d", tags: ["a"], expiresAt: "2030-01-01" }));
    const updated = await service.update(key("v2"), 1);
    expect(updated).toMatchObject({
      id: "00000000-0000-4000-8000-000000000000",
      version: 2,
      description: "d",
      tags: ["a"],
      createdAt: "2026-01-01T00:00:00.000Z",
      updatedAt: "2026-01-01T00:00:00.001Z",
      expiresAt: null,
    });
    const cleared = await service.set(key("v3", { description: null, tags: [] }));
    expect(cleared).toMatchObject({ version: 3, description: null, tags: [] });
    expect((await service.get("KEY")).fields).toEqual({ value: "v3" });
  });

  it("keeps values to the unit, also those that are no Unicode", async () => {
    const service = createService();
    for (const value of [" ", "\ufeffx", "x\r\n", "a\0b", "\ud800", "{{ secrets.KEY }}", "$&", "é\u0301\u200b"]) {
      await service.set(key(value));
      expect((await service.get("KEY")).fields).toEqual({ value });
    }
  });

  it("takes the expiry of a token from its field", async () => {
    const service = createService();
    const token = { name: "T", type: "bearerToken" as const, fields: { token: "t", expiresAt: "2030-01-01" } };
    expect((await service.set(token)).expiresAt).toBe("2030-01-01T00:00:00.000Z");
    expect((await service.set({ ...token, expiresAt: "2030-01-01" })).expiresAt).toBe("2030-01-01T00:00:00.000Z");
    await expect(service.set({ ...token, expiresAt: "2031-01-01" })).rejects.toMatchObject({ code: "VALUE_INVALID" });
  });

  it.each<[string, (service: SecretService) => Promise<unknown>, string]>([
    ["create of a name that is taken", (s) => s.create(key("x")), "SECRET_EXISTS"],
    ["update of a missing secret", (s) => s.update(key("x", { name: "NONE" }), 1), "SECRET_NOT_FOUND"],
    ["get of a missing secret", (s) => s.get("NONE"), "SECRET_NOT_FOUND"],
    ["delete of a missing secret", (s) => s.delete("NONE"), "SECRET_NOT_FOUND"],
    ["set with another version", (s) => s.set(key("x"), { ifVersion: 7 }), "VERSION_CONFLICT"],
    ["set with version 0 of a secret that is there", (s) => s.set(key("x"), { ifVersion: 0 }), "VERSION_CONFLICT"],
    [
      "another type where the type is to stay",
      (s) => s.set({ name: "KEY", type: "custom", fields: { value: "x" } }, { keepType: true }),
      "VERSION_CONFLICT",
    ],
    ["a bad name", (s) => s.set(key("x", { name: "../x" })), "NAME_INVALID"],
    ["a bad name in get", (s) => s.get("../x"), "NAME_INVALID"],
    ["a bad name in delete", (s) => s.delete("a b"), "NAME_INVALID"],
    ["an empty value", (s) => s.set(key("")), "VALUE_EMPTY"],
    ["a description of two lines", (s) => s.set(key("x", { description: "a\nb" })), "VALUE_INVALID"],
    ["a tag with an escape", (s) => s.set(key("x", { tags: ["\u001b[31m"] })), "VALUE_INVALID"],
    ["a bad expiry", (s) => s.set(key("x", { expiresAt: "soon" })), "VALUE_INVALID"],
    ["a value of more than 16 MiB", (s) => s.set(key("x".repeat(MAX_SECRET_LENGTH))), "VALUE_INVALID"],
  ])("refuses %s, and changes nothing", async (_, attempt, code) => {
    const service = createService();
    await service.create(key("v1"));
    await expect(attempt(service)).rejects.toMatchObject({ code });
    expect(await service.get("KEY")).toMatchObject({ metadata: { version: 1 }, fields: { value: "v1" } });
    expect(await service.list()).toHaveLength(1);
  });

  it("keeps the type that it was asked to keep, and takes any where nothing is stored", async () => {
    const service = createService();
    expect(await service.set(key("v1"), { keepType: true })).toMatchObject({ type: "apiKey", version: 1 });
    expect(await service.set(key("v2"), { keepType: true })).toMatchObject({ type: "apiKey", version: 2 });
    const custom = { name: "KEY", type: "custom", fields: { value: "v3" } } as const;
    expect(await service.set(custom)).toMatchObject({ type: "custom", version: 3 });
  });

  it("writes many only where each has the version that is expected", async () => {
    const service = createService();
    await service.create(key("v1"));
    const [other, taken] = [key("x", { name: "OTHER" }), key("x")];
    const attempts = [
      [
        { ...other, ifVersion: 0 },
        { ...taken, ifVersion: 0 },
      ],
      [{ ...other, ifVersion: 1 }, taken],
    ];
    for (const inputs of attempts)
      await expect(service.setAll(inputs)).rejects.toMatchObject({ code: "VERSION_CONFLICT" });
    expect((await service.list()).map(({ name, version }) => name + version)).toEqual(["KEY1"]);
    await service.setAll([
      { ...other, ifVersion: 0 },
      { ...taken, ifVersion: 1 },
    ]);
    expect((await service.list()).map(({ name, version }) => name + version)).toEqual(["KEY2", "OTHER1"]);
  });

  it("writes no name twice at once", async () => {
    const service = createService();
    await expect(service.setAll([key("a"), key("b", { name: "B" }), key("c")])).rejects.toMatchObject({
      code: "VALUE_INVALID",
      message: "Secret 'KEY' is given more than once",
    });
    expect(await service.list()).toEqual([]);
  });

  it.each([-1, 1.5, Number.NaN])("lists no page of %d", async (limit) => {
    await expect(createService().list({ limit })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it("updates only the version that the caller knows, and says which one there is", async () => {
    const service = createService();
    await service.create(key("v1"));
    await service.update(key("v2"), 1);
    await expect(service.update(key("v3"), 1)).rejects.toMatchObject({
      code: "VERSION_CONFLICT",
      message: "Secret 'KEY' has version 2, not version 1; nothing was written",
    });
    expect((await service.get("KEY")).fields).toEqual({ value: "v2" });
  });

  describe("older versions", () => {
    it("are kept, read and listed", async () => {
      const service = createService(undefined, undefined, 3);
      for (const value of ["v1", "v2", "v3", "v4"]) await service.set(key(value, { description: value }));
      expect((await service.versions("KEY")).map(({ version, description }) => `${version} ${description}`)).toEqual([
        "4 v4",
        "3 v3",
        "2 v2",
      ]);
      expect(await service.get("KEY", { atVersion: 2 })).toMatchObject({
        metadata: { version: 2, description: "v2" },
        fields: { value: "v2" },
      });
      expect((await service.get("KEY", { atVersion: 4 })).fields).toEqual({ value: "v4" });
      await expect(service.get("KEY", { atVersion: 1 })).rejects.toMatchObject({
        code: "VERSION_NOT_FOUND",
        message: "Secret 'KEY' has no version 1 (versions: 4, 3, 2)",
      });
    });

    it("come back as the newest by rollback, under what is true today", async () => {
      const service = createService();
      const fields = (username: string) => ({ username, password: `of ${username}` });
      await service.create(key("", { type: "basicAuth", fields: fields("old"), description: "old", tags: ["a"] }));
      const today = { description: "new", tags: ["b"], expiresAt: "2030-01-01" };
      await service.set(key("", { type: "basicAuth", fields: fields("new"), maskFields: ["username"], ...today }));
      expect(await service.rollback("KEY", 1)).toMatchObject({
        version: 3,
        revision: 3,
        ...today,
        expiresAt: "2030-01-01T00:00:00.000Z",
      });
      expect(await service.get("KEY")).toMatchObject({ fields: fields("old"), flags: { masked: ["username"] } });
      await expect(service.rollback("KEY", 9)).rejects.toMatchObject({ code: "VERSION_NOT_FOUND" });
      await expect(service.rollback("NONE", 1)).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
    });

    it("of another type are not rolled back to", async () => {
      const service = createService();
      await service.create(key("", { type: "basicAuth", fields: { username: "u", password: "p" } }));
      await service.set(key("v2"));
      await expect(service.rollback("KEY", 1)).rejects.toMatchObject({ code: "VALUE_INVALID" });
    });

    it("of a token come back with the expiry of today, in its field too", async () => {
      const service = createService();
      const token = (fields: object) =>
        service.set({ name: "T", type: "bearerToken", fields: { token: "t", ...fields } });
      await token({ expiresAt: "2030-01-01" });
      await token({ expiresAt: "2031-01-01" });
      await service.rollback("T", 1);
      const { metadata, fields } = await service.get("T");
      expect([metadata.expiresAt, fields["expiresAt"]]).toEqual(Array(2).fill("2031-01-01T00:00:00.000Z"));
      await service.edit("T", { expiresAt: null });
      await service.rollback("T", 1);
      expect(await service.get("T")).toMatchObject({ metadata: { expiresAt: null }, fields: { token: "t" } });
    });
  });

  describe("an edit", () => {
    it("changes metadata in place: a revision, no version", async () => {
      const service = createService();
      await service.create(key("v1", { description: "d", tags: ["a", "b"] }));
      const change = { description: "e", addTags: ["c", "b"], removeTags: ["a"], expiresAt: "2030-01-01" };
      const edited = await service.edit("KEY", change, { ifRevision: 1 });
      expect(edited).toMatchObject({ version: 1, revision: 2, description: "e", tags: ["b", "c"] });
      expect(edited.expiresAt).toBe("2030-01-01T00:00:00.000Z");
      expect((await service.get("KEY")).fields).toEqual({ value: "v1" });
      expect(await service.versions("KEY")).toHaveLength(1);
      expect(await service.edit("KEY", { description: null, expiresAt: null })).toMatchObject({
        revision: 3,
        description: null,
        expiresAt: null,
        tags: ["b", "c"],
      });
    });

    it("changes the expiry of a token in its field too", async () => {
      const service = createService();
      await service.set({ name: "T", type: "bearerToken", fields: { token: "t", expiresAt: "2030-01-01" } });
      await service.edit("T", { expiresAt: "2031-01-01" });
      expect((await service.get("T")).fields["expiresAt"]).toBe("2031-01-01T00:00:00.000Z");
    });

    it.each<[string, (service: SecretService) => Promise<unknown>, string]>([
      ["another revision", (s) => s.edit("KEY", { description: "x" }, { ifRevision: 2 }), "VERSION_CONFLICT"],
      ["a deletion of another revision", (s) => s.delete("KEY", { ifRevision: 2 }), "VERSION_CONFLICT"],
      ["a missing secret", (s) => s.edit("NONE", {}), "SECRET_NOT_FOUND"],
      ["a description of two lines", (s) => s.edit("KEY", { description: "a\nb" }), "VALUE_INVALID"],
      ["a bad tag", (s) => s.edit("KEY", { addTags: [""] }), "VALUE_INVALID"],
      ["a bad expiry", (s) => s.edit("KEY", { expiresAt: "soon" }), "VALUE_INVALID"],
      ["a public field that is not there", (s) => s.edit("KEY", { publicFields: ["x"] }), "FIELD_NOT_FOUND"],
      ["a public value", (s) => s.edit("KEY", { publicFields: ["value"] }), "VALUE_INVALID"],
    ])("refuses %s, and changes nothing", async (_, attempt, code) => {
      const service = createService();
      const before = await service.create(key("v1"));
      await expect(attempt(service)).rejects.toMatchObject({ code });
      expect((await service.get("KEY")).metadata).toEqual(before);
    });
  });

  describe("the secrecy of fields", () => {
    const custom = { name: "C", type: "custom" as const, fields: { region: "eu", token: "t0ken" } };

    it("is told by describe, with the values that are public", async () => {
      const service = createService();
      await service.set({ ...custom, publicFields: ["region"] });
      await service.edit("C", { description: "d" });
      const described = await service.describe("C");
      expect(described).toMatchObject({
        fields: [
          { name: "region", public: true, masked: false },
          { name: "token", public: false, masked: true },
        ],
        publicFields: { region: "eu" },
      });
      expect(JSON.stringify(described)).not.toContain("t0ken");
    });

    it.each<[SecretInput["type"], object, string]>([
      ["basicAuth", { username: "u", password: "p" }, "username: hidden, password: masked"],
      ["bearerToken", { token: "t", expiresAt: "2030-01-01" }, "token: masked, expiresAt: public"],
      [
        "oauth",
        { clientId: "i", clientSecret: "s", tokenUrl: "https://a.example/", scopes: "read" },
        "clientId: hidden, clientSecret: masked, tokenUrl: public, scopes: public",
      ],
    ])("of %s follows from the type", async (type, fields, expected) => {
      const service = createService();
      await service.set({ name: "S", type, fields: { ...fields } });
      const described = (await service.describe("S")).fields.map(
        (field) => `${field.name}: ${field.public ? "public" : field.masked ? "masked" : "hidden"}`,
      );
      expect(described.join(", ")).toBe(expected);
    });

    it("stays with a new value of the same type, and goes with another type or a field that is gone", async () => {
      const service = createService();
      await service.set({ ...custom, publicFields: ["region"] });
      await service.set({ ...custom, fields: { region: "us", token: "x" } });
      expect((await service.get("C")).flags.public).toEqual(["region"]);
      await service.set({ ...custom, fields: { token: "x" } });
      expect((await service.get("C")).flags.public).toEqual([]);
      await service.set({ ...custom, publicFields: ["region"] });
      await service.set({ name: "C", type: "apiKey", fields: { value: "v" } });
      await service.set(custom);
      expect((await service.get("C")).flags.public).toEqual([]);
    });

    it("is changed by edit", async () => {
      const service = createService();
      await service.set(custom);
      await service.edit("C", { publicFields: ["region"] });
      expect((await service.get("C")).flags).toEqual({ public: ["region"], masked: [] });
      await service.edit("C", { maskFields: ["region"] });
      expect((await service.get("C")).flags).toEqual({ public: [], masked: ["region"] });
      await service.edit("C", { secretFields: ["region"] });
      expect((await service.get("C")).flags).toEqual({ public: [], masked: [] });
      const both = service.edit("C", { publicFields: ["region"], maskFields: ["region"] });
      await expect(both).rejects.toMatchObject({ code: "VALUE_INVALID" });
    });
  });

  it("K25: a new value drops the expiry, unless it is to be kept", async () => {
    const service = createService();
    await service.set(key("v1", { expiresAt: "2030-01-01" }));
    expect((await service.set(key("v2", { keepExpiry: true }))).expiresAt).toBe("2030-01-01T00:00:00.000Z");
    expect((await service.set(key("v3"))).expiresAt).toBe(null);
  });

  describe("a rename", () => {
    it("keeps id and versions", async () => {
      const service = createService();
      for (const value of ["v1", "v2"]) await service.set(key(value));
      const { id } = await service.rename("KEY", "NEW");
      expect(await service.find("KEY")).toBe(null);
      expect(await service.find("NEW")).toMatchObject({ id, version: 2, revision: 3 });
      expect((await service.get("NEW", { atVersion: 1 })).fields).toEqual({ value: "v1" });
    });

    it("takes no name from another secret", async () => {
      const service = createService();
      await service.create(key("v1"));
      await service.create(key("x", { name: "OTHER" }));
      await expect(service.rename("KEY", "OTHER")).rejects.toMatchObject({ code: "SECRET_EXISTS" });
      await expect(service.rename("NONE", "X")).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      await expect(service.rename("KEY", "a b")).rejects.toMatchObject({ code: "NAME_INVALID" });
    });
  });

  describe("metadata that were changed from outside", () => {
    it.each<[string, (service: SecretService) => Promise<unknown>]>([
      ["get", (s) => s.get("KEY")],
      ["get of a version", (s) => s.get("KEY", { atVersion: 1 })],
      ["describe", (s) => s.describe("KEY")],
      ["set", (s) => s.set(key("x"))],
      ["edit", (s) => s.edit("KEY", { description: "x" })],
      ["rename", (s) => s.rename("KEY", "NEW")],
      ["rollback", (s) => s.rollback("KEY", 1)],
    ])("are found by %s, and not made good", async (_, attempt) => {
      const store = createMemoryStore();
      const service = createService(store);
      await service.create(key("v1"));
      const get = store.get.bind(store);
      const versions = store.versions.bind(store);
      const forge = (secret: EncryptedSecret) => ({ ...secret, metadata: { ...secret.metadata, tags: ["forged"] } });
      store.get = async (name) => {
        const found = await get(name);
        return found === null ? null : forge(found);
      };
      store.versions = async (id) => (await versions(id)).map(forge);
      const before = JSON.stringify(await get(parseSecretName("KEY")));
      await expect(attempt(service)).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
      expect(JSON.stringify(await get(parseSecretName("KEY")))).toBe(before);
    });

    it("are left out where names and tags say what may be seen", async () => {
      const store = createMemoryStore();
      const service = createService(store);
      await service.create(key("v1", { tags: ["seen"] }));
      await service.create(key("v1", { name: "OTHER", tags: ["seen"] }));
      expect((await service.listVerified({ anyTag: ["seen"] })).secrets.map(({ name }) => name)).toEqual([
        "KEY",
        "OTHER",
      ]);
      expect((await service.listVerified({ anyTag: ["unseen"] })).secrets).toEqual([]);
      const find = store.find.bind(store);
      store.find = async (id) => {
        const found = await find(id);
        return found?.metadata.name === "KEY" ? { ...found, mac: "forged" } : found;
      };
      expect((await service.listVerified({ anyTag: ["seen"] })).secrets.map(({ name }) => name)).toEqual(["OTHER"]);
      expect(await service.count({ anyTag: ["seen"] })).toBe(2);
      store.find = async () => {
        throw new AutokestraError("STORE_UNAVAILABLE", "locked");
      };
      await expect(service.listVerified()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    });

    it("do not keep a secret from being deleted, and stay wrong", async () => {
      const store = createMemoryStore();
      const service = createService(store);
      const { id } = await service.create(key("v1"));
      const get = store.get.bind(store);
      store.get = async (name) => {
        const found = await get(name);
        return found === null ? null : { ...found, mac: "forged" };
      };
      const before = (await store.find(id))?.mac;
      await service.delete("KEY");
      expect(await store.find(id)).toMatchObject({
        mac: before,
        metadata: { revision: 1, deletedAt: expect.any(String) },
      });
    });
  });

  describe("a deleted secret", () => {
    const DAY = 24 * 60 * 60 * 1000;

    async function withDeleted() {
      const clock = { passed: 0 };
      const store = createMemoryStore();
      const service = createService(store, clock);
      await service.create(key("v1"));
      await service.delete("KEY");
      return { clock, store, service };
    }

    it.each<[string, (service: SecretService) => Promise<unknown>]>([
      ["get", (s) => s.get("KEY")],
      ["get of a version", (s) => s.get("KEY", { atVersion: 1 })],
      ["versions", (s) => s.versions("KEY")],
      ["rollback", (s) => s.rollback("KEY", 1)],
      ["update", (s) => s.update(key("x"), 1)],
      ["edit", (s) => s.edit("KEY", {})],
      ["rename", (s) => s.rename("KEY", "NEW")],
      ["delete", (s) => s.delete("KEY")],
    ])("says so in %s", async (_, attempt) => {
      const { service } = await withDeleted();
      const error = await attempt(service).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "SECRET_DELETED", message: "Secret 'KEY' is deleted" });
      expect(error).toHaveProperty("hint", expect.stringContaining("can be restored until 2026-01-31T00:00:00.00"));
      expect(await service.find("KEY")).toBe(null);
    });

    it("comes back by restore, with its versions", async () => {
      const { service } = await withDeleted();
      expect(await service.list()).toEqual([]);
      expect(await service.restore("KEY")).toMatchObject({ version: 1, revision: 3, deletedAt: null });
      expect((await service.get("KEY")).fields).toEqual({ value: "v1" });
      await expect(service.restore("KEY")).rejects.toMatchObject({ code: "SECRET_EXISTS" });
      await expect(service.restore("NONE")).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
    });

    it.each<[string, (service: SecretService) => Promise<unknown>]>([
      ["set", (s) => s.set(key("v2"))],
      ["create", (s) => s.create(key("v2"))],
    ])("K24: makes room for a new one by %s, with nothing of the old one", async (_, write) => {
      const { service } = await withDeleted();
      const [deleted] = await service.list({ state: "deleted" });
      await write(service);
      const { metadata } = await service.get("KEY");
      expect(metadata).toMatchObject({ version: 1, revision: 1, description: null, tags: [], expiresAt: null });
      expect(metadata.id).not.toBe(deleted?.id);
      await expect(service.get("KEY", { atVersion: 2 })).rejects.toMatchObject({ code: "VERSION_NOT_FOUND" });
      expect(await service.list({ state: "deleted" })).toEqual([deleted]);
    });

    it("comes back by its id, once its name is free", async () => {
      const { service } = await withDeleted();
      const first = (await service.list({ state: "deleted" }))[0]?.id ?? "";
      const second = (await service.set(key("v2"))).id;
      await expect(service.restore("KEY")).rejects.toMatchObject({
        code: "SECRET_EXISTS",
        message: `The name 'KEY' is taken by the secret ${second}`,
      });
      await service.delete("KEY");
      await service.restore("KEY");
      expect((await service.get("KEY")).fields).toEqual({ value: "v2" });
      await service.rename("KEY", "OTHER");
      await service.restore("KEY", { id: first });
      expect((await service.get("KEY")).fields).toEqual({ value: "v1" });
      await service.delete("KEY");
      for (const id of [second, "none"]) {
        await expect(service.restore("KEY", { id })).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      }
    });

    it("is purged with all others of its name", async () => {
      const { service, store } = await withDeleted();
      await service.set(key("v2"));
      await service.delete("KEY");
      await service.set(key("v3"));
      await service.set(key("x", { name: "OTHER" }));
      await service.delete("KEY", { purge: true });
      expect((await store.list({ state: "all" })).map(({ name }) => name)).toEqual(["OTHER"]);
    });

    it("is purged alone, or deleted, by its id", async () => {
      const { service, store } = await withDeleted();
      const first = (await service.list({ state: "deleted" }))[0]?.id ?? "";
      const { id } = await service.set(key("v2"));
      await expect(service.delete("KEY", { id: first })).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      await expect(service.delete("OTHER", { id, purge: true })).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      expect(await service.delete("KEY", { id: first, purge: true })).toBe(1);
      expect((await store.list({ state: "all" })).map((one) => one.id)).toEqual([id]);
      expect(await service.delete("KEY", { id })).toBe(1);
      expect(await service.list()).toEqual([]);
    });

    it("is not taken for another one of its name", async () => {
      const { service } = await withDeleted();
      const ifId = (await service.list({ state: "deleted" }))[0]?.id ?? "";
      await expect(service.set(key("v"), { ifId })).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      const { id } = await service.set(key("v2"));
      for (const attempt of [
        service.set(key("v"), { ifId }),
        service.edit("KEY", { description: "d" }, { ifId }),
        service.rename("KEY", "NEW", { ifId }),
        service.rollback("KEY", 1, { ifId }),
      ]) {
        await expect(attempt).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      }
      for (const attempt of [
        service.set(key("v"), { ifRevision: 2 }),
        service.rename("KEY", "NEW", { ifRevision: 2 }),
        service.rollback("KEY", 1, { ifRevision: 2 }),
      ]) {
        await expect(attempt).rejects.toMatchObject({ code: "VERSION_CONFLICT" });
      }
      await service.set(key("v3"), { ifId: id, ifRevision: 1 });
      await service.rollback("KEY", 1, { ifId: id, ifRevision: 2 });
      expect(await service.rename("KEY", "NEW", { ifId: id, ifRevision: 3 })).toMatchObject({ id, revision: 4 });
    });

    it("is gone for good after a purge", async () => {
      const { service, store } = await withDeleted();
      await service.delete("KEY", { purge: true });
      expect(await store.list({ state: "all" })).toEqual([]);
      await expect(service.delete("KEY", { purge: true })).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      expect(await service.create(key("v1"))).toMatchObject({ version: 1 });
    });

    it("can be restored for 30 days, then it counts as gone", async () => {
      const { clock, service } = await withDeleted();
      clock.passed += 30 * DAY - 100;
      expect(await service.list({ state: "deleted" })).toHaveLength(1);
      clock.passed += 200;
      expect(await service.list({ state: "deleted" })).toEqual([]);
      for (const attempt of [
        service.get("KEY"),
        service.restore("KEY"),
        service.delete("KEY"),
        service.versions("KEY"),
      ]) {
        await expect(attempt).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      }
      const { version, id } = await service.set(key("v1"));
      expect({ version, id }).toEqual({ version: 1, id: "00000000-0000-4000-8000-000000000001" });
    });

    it("is removed for good by the first deletion after 30 days", async () => {
      const { clock, service, store } = await withDeleted();
      await service.create(key("x", { name: "OTHER" }));
      clock.passed += 31 * DAY;
      await service.delete("OTHER");
      expect((await store.list({ state: "all" })).map(({ name }) => name)).toEqual(["OTHER"]);
    });
  });

  it("loses no update of two services on one store", async () => {
    const store = createMemoryStore();
    const [one, two] = [createService(store), createService(store)];
    const writes = Array.from({ length: 50 }, (_, index) => (index % 2 ? one : two).set(key(`v${index}`)));
    await Promise.all(writes);
    expect((await one.get("KEY")).metadata.version).toBe(50);
  });

  it("does not repeat a plaintext that is no JSON", async () => {
    const store = createMemoryStore();
    const service = createService(store);
    await service.create(key("v1"));
    const broken = {
      ...createReversal(),
      decrypt: async () => "s3cret" as Awaited<ReturnType<SecretEncryption["decrypt"]>>,
    };
    const reader = createSecretService({ store, encryption: broken, now: () => "", newId: () => "" });
    const error = await reader.get("KEY").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AutokestraError);
    expect(error).toMatchObject({ code: "INTEGRITY_FAILED" });
    expect(JSON.stringify(error) + String(error)).not.toContain("s3cret");
  });
});

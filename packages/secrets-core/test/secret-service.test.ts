import { describe, expect, it } from "vitest";
import {
  AutokestraError,
  createMemoryStore,
  createSecretService,
  MAX_SECRET_LENGTH,
  type SecretEncryption,
  type SecretInput,
  type SecretService,
} from "../src/index.ts";

/** Turns the text around, unit by unit: enough to see that the store never gets it as it is. */
function createReversal(): SecretEncryption {
  const turn = (text: string) => Array.from(text).toReversed().join("");
  const bytes = (text: string) => Uint8Array.from(encodeURIComponent(text), (character) => character.charCodeAt(0));
  return {
    async seal(_record, plaintext) {
      const envelope = {
        format: 1,
        keyId: "00000000",
        nonce: bytes(""),
        ciphertext: bytes(turn(plaintext)),
        tag: bytes(""),
      };
      return { envelope, header: null };
    },
    async open(_record, { ciphertext }) {
      return turn(decodeURIComponent(String.fromCharCode(...ciphertext))) as Awaited<
        ReturnType<SecretEncryption["open"]>
      >;
    },
    async refresh() {
      // There are no keys to read.
    },
    close() {
      // There are no keys to wipe.
    },
  };
}

/** @param clock milliseconds that have passed, one more at each look */
function createService(store = createMemoryStore(), clock = { passed: 0 }, keepVersions?: number): SecretService {
  let ids = 0;
  return createSecretService({
    store,
    encryption: createReversal(),
    keepVersions,
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
      createdAt: "2026-01-01T00:00:00.000Z",
      updatedAt: "2026-01-01T00:00:00.000Z",
      expiresAt: "2030-01-01T00:00:00.000Z",
      deletedAt: null,
    });
    expect(await service.get("KEY")).toEqual({ metadata: written, fields: { value: "v1" } });
    expect(await service.describe("KEY")).toEqual(written);
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
      message: "Secret 'KEY' stands twice among what is to be written",
    });
    expect(await service.list()).toEqual([]);
  });

  it.each([-1, 1.5, Number.NaN])("lists no page of %d", async (limit) => {
    await expect(createService().list({ limit })).rejects.toMatchObject({ code: "USAGE" });
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

    it("come back as the newest by rollback, with all that they said", async () => {
      const service = createService();
      const first = { type: "basicAuth" as const, fields: { username: "u", password: "p" } };
      await service.create(key("", { ...first, description: "old", tags: ["a"], expiresAt: "2030-01-01" }));
      await service.set(key("v2", { description: "new", tags: [] }));
      const rolled = await service.rollback("KEY", 1);
      const { version, type, description, tags, expiresAt } = rolled;
      expect({ version, type, description, tags, expiresAt }).toEqual({
        version: 3,
        type: "basicAuth",
        description: "old",
        tags: ["a"],
        expiresAt: "2030-01-01T00:00:00.000Z",
      });
      expect((await service.get("KEY")).fields).toEqual(first.fields);
      await expect(service.rollback("KEY", 9)).rejects.toMatchObject({ code: "VERSION_NOT_FOUND" });
      await expect(service.rollback("NONE", 1)).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
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
      ["create", (s) => s.create(key("x"))],
      ["update", (s) => s.update(key("x"), 1)],
      ["delete", (s) => s.delete("KEY")],
    ])("says so in %s", async (_, attempt) => {
      const { service } = await withDeleted();
      const error = await attempt(service).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "SECRET_DELETED", message: "Secret 'KEY' is deleted" });
      expect(error).toHaveProperty("hint", expect.stringContaining("brings it back until 2026-01-31T00:00:00.00"));
      expect(await service.describe("KEY")).toMatchObject({ version: 1, deletedAt: expect.any(String) });
    });

    it("comes back by restore, with its versions", async () => {
      const { service } = await withDeleted();
      expect(await service.list()).toEqual([]);
      expect(await service.restore("KEY")).toMatchObject({ version: 1, deletedAt: null });
      expect((await service.get("KEY")).fields).toEqual({ value: "v1" });
      await expect(service.restore("KEY")).rejects.toMatchObject({ code: "SECRET_EXISTS" });
      await expect(service.restore("NONE")).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
    });

    it("is in use again with its next version", async () => {
      const { service } = await withDeleted();
      expect(await service.set(key("v2"))).toMatchObject({ version: 2, deletedAt: null });
      expect((await service.get("KEY", { atVersion: 1 })).fields).toEqual({ value: "v1" });
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
      expect(await service.describe("KEY")).not.toBe(null);
      expect(await service.list({ state: "deleted" })).toHaveLength(1);
      clock.passed += 200;
      expect(await service.describe("KEY")).toBe(null);
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

    it("leaves alone what another process has made of its name after 30 days", async () => {
      const { clock, service, store } = await withDeleted();
      clock.passed += 31 * DAY;
      const other = createService(store, clock);
      let looks = 0;
      const get = store.get.bind(store);
      store.get = async (name) => {
        const seen = await get(name);
        looks += 1;
        if (looks === 1) await other.create(key("of another"));
        return seen;
      };
      await expect(service.create(key("late"))).rejects.toMatchObject({ code: "SECRET_EXISTS" });
      expect((await service.get("KEY")).fields).toEqual({ value: "of another" });
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
    const broken = { ...createReversal(), open: async () => "s3cret" as Awaited<ReturnType<SecretEncryption["open"]>> };
    const reader = createSecretService({ store, encryption: broken, now: () => "", newId: () => "" });
    const error = await reader.get("KEY").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AutokestraError);
    expect(error).toMatchObject({ code: "INTEGRITY_FAILED" });
    expect(JSON.stringify(error) + String(error)).not.toContain("s3cret");
  });
});

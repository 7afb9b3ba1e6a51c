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

function createService(store = createMemoryStore()): SecretService {
  let ids = 0;
  let moment = 0;
  return createSecretService({
    store,
    encryption: createReversal(),
    now: () => `2026-01-01T00:00:00.${String(moment++).padStart(3, "0")}Z`,
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
    });
    expect(await service.get("KEY")).toEqual({ metadata: written, fields: { value: "v1" } });
    expect(await service.describe("KEY")).toEqual(written);
    expect(await service.list()).toEqual([written]);
  });

  it("keeps id, creation time, description and tags over an update, and drops the expiry of the old value", async () => {
    const service = createService();
    await service.create(key("v1", { description: "d", tags: ["a"], expiresAt: "2030-01-01" }));
    const updated = await service.update(key("v2"));
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
    ["update of a missing secret", (s) => s.update(key("x", { name: "NONE" })), "SECRET_NOT_FOUND"],
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

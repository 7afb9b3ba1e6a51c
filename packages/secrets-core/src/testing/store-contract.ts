import type { SealedSecret, SecretMetadata } from "../secret.ts";
import { parseSecretName, type SecretName } from "../secret-name.ts";
import type { SecretStore } from "../secret-store.ts";
import { putSecret } from "./put-secret.ts";
import { sampleSecret } from "./sample-secret.ts";

/** The part of `expect` (vitest, jest) that the contract uses. */
type Expect = (actual: unknown) => { toBe(expected: unknown): void; toEqual(expected: unknown): void } & {
  readonly rejects: { toMatchObject(expected: object): Promise<void> };
};

export interface StoreContractOptions {
  /** `it` of vitest, jest or node:test. */
  readonly it: (name: string, run: () => Promise<void>) => void;
  readonly expect: Expect;
  /** An empty store in a place of its own, and how to open the same place again (null: it does not outlive `close`). */
  readonly open: () => Promise<{ store: SecretStore; reopen: (() => Promise<SecretStore>) | null }>;
}

const A = parseSecretName("A");
const B = parseSecretName("B");
const DELETED = "2026-02-01T00:00:00.000Z";
const LATER = "2026-03-01T00:00:00.000Z";
const OTHER_ID = "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d";

/**
 * Registers one test per promise of {@link SecretStore}. A store's test file is this call:
 *
 * ```ts
 * import { expect, it } from "vitest";
 * import { secretStoreContract } from "@autokestra/secrets-core/testing";
 *
 * secretStoreContract({ it, expect, open: async () => ({ store: await openMyStore(), reopen: null }) });
 * ```
 */
export function secretStoreContract({ it, expect, open }: StoreContractOptions): void {
  function test(name: string, run: (store: SecretStore) => Promise<void>): void {
    it(name, async () => {
      const { store } = await open();
      try {
        await run(store);
      } finally {
        await store.close();
      }
    });
  }

  test("an empty store has no header, no secrets and nothing to delete", async (store) => {
    expect(await store.readHeader()).toBe(null);
    expect(await store.get(A)).toBe(null);
    expect(await store.list()).toEqual([]);
    expect(await store.history(A)).toEqual([]);
    expect(await store.names()).toEqual([]);
    expect(await store.delete(A, DELETED)).toBe(false);
    expect(await store.restore(A)).toBe(false);
    expect(await store.purge(A)).toBe(false);
    expect(await store.purgeDeleted(DELETED)).toBe(0);
  });

  test("get returns what put was given, to the byte", async (store) => {
    const secret = sampleSecret("A", {
      type: "oauth",
      description: "für – \"quotes\", 'ticks', 日本語, 🔑",
      tags: ["prod", "team:ops", "ü"],
      expiresAt: "2030-01-01T00:00:00.000Z",
    });
    await putSecret(store, secret);
    expect(await store.get(A)).toEqual(secret);
  });

  test("a ciphertext of a megabyte and one of a byte come back", async (store) => {
    for (const length of [1, 1024 * 1024]) {
      const name = parseSecretName(`S${length}`);
      const sample = sampleSecret(name);
      const ciphertext = Uint8Array.from({ length }, (_, index) => (index * 7) % 256);
      await putSecret(store, { ...sample, envelope: { ...sample.envelope, ciphertext } });
      const stored = (await store.get(name))?.envelope.ciphertext;
      expect(stored?.length === length && stored.every((byte, index) => byte === ciphertext[index])).toBe(true);
    }
  });

  test("names are case-sensitive and exact", async (store) => {
    for (const name of ["API_KEY", "api_key", "API_KEY2", "API_KEY_", "-", "_", "0", "x".repeat(255)]) {
      await putSecret(store, sampleSecret(name, { description: name }));
    }
    expect((await store.get(parseSecretName("API_KEY")))?.metadata.description).toBe("API_KEY");
    expect((await store.get(parseSecretName("api_key")))?.metadata.description).toBe("api_key");
    expect((await store.get(parseSecretName("x".repeat(255))))?.metadata.description).toBe("x".repeat(255));
    expect(await store.get(parseSecretName("Api_Key"))).toBe(null);
    expect(await store.get(parseSecretName("API_KE"))).toBe(null);
  });

  test("names that break the rules are refused, and nothing is stored", async (store) => {
    for (const name of [
      "",
      ".",
      "..",
      "../x",
      "a/b",
      "a\\b",
      "%2e%2e",
      "a\0b",
      "a\nb",
      "x".repeat(256),
      "ü",
      "__proto__",
    ]) {
      const sample = sampleSecret("A");
      const forged = { ...sample, metadata: { ...sample.metadata, name: name as SecretName } };
      expect({ name, code: await refusal(putSecret(store, forged)) }).toEqual({ name, code: "NAME_INVALID" });
    }
    expect(await store.list()).toEqual([]);
  });

  test("records that break the rules are refused, and nothing is stored", async (store) => {
    const { metadata, envelope } = sampleSecret("A");
    const forgeries: object[] = [
      { metadata: { ...metadata, id: "hunter2" }, envelope },
      { metadata: { ...metadata, tags: ["hunter2\n"] }, envelope },
      { metadata: { ...metadata, version: 0 }, envelope },
      { metadata, envelope: { ...envelope, ciphertext: "hunter2" } },
      { metadata },
    ];
    for (const forged of forgeries) {
      expect(await refusal(putSecret(store, forged as SealedSecret))).toBe("VALUE_INVALID");
    }
    expect(await store.list()).toEqual([]);
  });

  /** The code of the error, or null where there is none. */
  async function refusal(attempt: Promise<void>): Promise<unknown> {
    return await attempt.then(
      () => null,
      (error: { code?: unknown }) => error.code,
    );
  }

  test("list returns metadata in the order of the names", async (store) => {
    for (const name of ["b", "B", "a", "A", "_", "-", "1"]) await putSecret(store, sampleSecret(name));
    const listed = await store.list();
    expect(listed.map((metadata) => metadata.name)).toEqual(["-", "1", "A", "B", "_", "a", "b"]);
    expect(listed[2]).toEqual(sampleSecret("A").metadata);
  });

  test("list filters by type and by tags, all of which must be there", async (store) => {
    const secrets: [string, Partial<SecretMetadata>][] = [
      ["A", { tags: ["x", "y"] }],
      ["B", { tags: ["x"], type: "custom" }],
      ["C", { tags: ["xy", 'x","y'] }],
      ["D", {}],
    ];
    for (const [name, changes] of secrets) await putSecret(store, sampleSecret(name, changes));
    const names = async (filter: Parameters<SecretStore["list"]>[0]) =>
      (await store.list(filter)).map((metadata) => metadata.name).join("");
    expect(await names({})).toBe("ABCD");
    expect(await names({ tags: ["x"] })).toBe("AB");
    expect(await names({ tags: ["x", "y"] })).toBe("A");
    expect(await names({ tags: ["x"], type: "custom" })).toBe("B");
    expect(await names({ type: "apiKey" })).toBe("ACD");
    expect(await names({ tags: ["%"] })).toBe("");
  });

  test("list filters by the beginning of the name, and by expiry", async (store) => {
    const expiresAt = (year: number) => ({ expiresAt: `${year}-01-01T00:00:00.000Z` });
    await putSecret(store, sampleSecret("DB_A", expiresAt(2027)));
    await putSecret(store, sampleSecret("DB_B"));
    await putSecret(store, sampleSecret("db_c", expiresAt(2028)));
    await putSecret(store, sampleSecret("DBX"));
    expect(short(await store.list({ prefix: "DB_" }))).toBe("DB_A1 DB_B1");
    expect(short(await store.list({ prefix: "DB_%" }))).toBe("");
    expect(short(await store.list({ prefix: "DB_A_" }))).toBe("");
    expect(short(await store.list({ expiresBefore: "2027-01-01T00:00:00.000Z" }))).toBe("");
    expect(short(await store.list({ expiresBefore: "2027-01-01T00:00:00.001Z" }))).toBe("DB_A1");
    expect(short(await store.list({ expiresBefore: "2030-01-01T00:00:00.000Z", prefix: "d" }))).toBe("db_c1");
  });

  test("list by pages: each goes on behind the last name, whatever came in between", async (store) => {
    for (const name of ["B", "D", "F", "H", "J"]) await putSecret(store, sampleSecret(name));
    expect(short(await store.list({ limit: 2 }))).toBe("B1 D1");
    await putSecret(store, sampleSecret("A"));
    await store.purge(parseSecretName("D"));
    expect(short(await store.list({ limit: 2, after: "D" }))).toBe("F1 H1");
    expect(short(await store.list({ limit: 2, after: "H" }))).toBe("J1");
    expect(short(await store.list({ limit: 2, after: "J" }))).toBe("");
    expect(short(await store.list({ limit: 0 }))).toBe("");
    expect(await store.names({ limit: 2 })).toEqual(["A", "B"]);
    expect(await store.names({ limit: 2, after: "B" })).toEqual(["F", "H"]);
    expect(await store.names({ after: "H" })).toEqual(["J"]);
    await store.delete(parseSecretName("F"), DELETED);
    expect(short(await store.list({ limit: 2, after: "B" }))).toBe("H1 J1");
    expect(short(await store.list({ limit: 1, after: "B", prefix: "J" }))).toBe("J1");
    expect(short(await store.list({ after: "J", prefix: "B" }))).toBe("");
  });

  test("put with null refuses a name that is taken", async (store) => {
    await putSecret(store, sampleSecret("A"));
    await expect(putSecret(store, sampleSecret("A", { id: OTHER_ID }))).rejects.toMatchObject({
      code: "SECRET_EXISTS",
    });
    expect(await store.get(A)).toEqual(sampleSecret("A"));
  });

  test("put with a version replaces exactly that version of the same secret", async (store) => {
    await putSecret(store, sampleSecret("A"));
    await putSecret(store, sampleSecret("A", { version: 2 }), 1);
    expect(await store.get(A)).toEqual(sampleSecret("A", { version: 2 }));
    const conflict = { code: "VERSION_CONFLICT" };
    await expect(putSecret(store, sampleSecret("A", { version: 2 }), 1)).rejects.toMatchObject(conflict);
    await expect(putSecret(store, sampleSecret("A", { version: 4 }), 3)).rejects.toMatchObject(conflict);
    await expect(putSecret(store, sampleSecret("A", { version: 3, id: OTHER_ID }), 2)).rejects.toMatchObject(conflict);
    await expect(putSecret(store, sampleSecret("B", { version: 2 }), 1)).rejects.toMatchObject(conflict);
    expect(await store.get(A)).toEqual(sampleSecret("A", { version: 2 }));
    expect((await store.list()).length).toBe(1);
  });

  test("of many writers of one version exactly one wins", async (store) => {
    await putSecret(store, sampleSecret("A"));
    const writers = Array.from({ length: 20 }, () => putSecret(store, sampleSecret("A", { version: 2 }), 1));
    const outcomes = await Promise.allSettled(writers);
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled").length).toBe(1);
  });

  test("put writes all secrets or none", async (store) => {
    await putSecret(store, sampleSecret("B"));
    const writes = ["A", "B", "C"].map((name) => ({ secret: sampleSecret(name), expectedVersion: null }));
    await expect(store.put(writes, null)).rejects.toMatchObject({ code: "SECRET_EXISTS" });
    expect((await store.list()).map((metadata) => metadata.name)).toEqual(["B"]);
    const next = { secret: sampleSecret("B", { version: 2 }), expectedVersion: 1 };
    await store.put([...writes.filter(({ secret }) => secret.metadata.name !== "B"), next], null);
    expect((await store.list()).map(({ name, version }) => `${name}${version}`)).toEqual(["A1", "B2", "C1"]);
    await store.put([], null);
  });

  test("put refuses what was sealed under another header", async (store) => {
    const changed = { code: "HEADER_CHANGED" };
    const write = { secret: sampleSecret("A"), expectedVersion: null };
    await expect(store.put([write], "one")).rejects.toMatchObject(changed);
    await store.writeHeader("one", null);
    await expect(store.put([write], null)).rejects.toMatchObject(changed);
    await expect(store.put([write], "two")).rejects.toMatchObject(changed);
    expect(await store.list()).toEqual([]);
    await store.put([write], "one");
    expect(await store.get(A)).toEqual(write.secret);
  });

  /** Names and versions of a list, `A1 B2`. */
  const short = (secrets: readonly SecretMetadata[]) => secrets.map(({ name, version }) => name + version).join(" ");

  /** Versions 1 to `count` of A, one after the other. */
  async function putVersions(store: SecretStore, count: number, keepVersions?: number): Promise<void> {
    for (let version = 1; version <= count; version++) {
      const write = { secret: sampleSecret("A", { version }), expectedVersion: version === 1 ? null : version - 1 };
      await store.put([write], await store.readHeader(), { keepVersions });
    }
  }

  const versionsOf = async (store: SecretStore) => (await store.history(A)).map(({ metadata }) => metadata.version);

  test("history has every version, the newest first, each as it was put", async (store) => {
    await putVersions(store, 3);
    expect(await store.history(A)).toEqual([3, 2, 1].map((version) => sampleSecret("A", { version })));
    expect(await store.get(A)).toEqual(sampleSecret("A", { version: 3 }));
    expect(await store.history(B)).toEqual([]);
    expect(short(await store.list())).toBe("A3");
  });

  test("put keeps the newest versions, ten unless told", async (store) => {
    await putVersions(store, 12);
    expect(await versionsOf(store)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    await store.put([{ secret: sampleSecret("A", { version: 13 }), expectedVersion: 12 }], null, { keepVersions: 2 });
    expect(await versionsOf(store)).toEqual([13, 12]);
    await store.put([{ secret: sampleSecret("A", { version: 14 }), expectedVersion: 13 }], null, { keepVersions: 1 });
    expect(await versionsOf(store)).toEqual([14]);
  });

  test("put refuses a version that does not come after the one before it", async (store) => {
    await putVersions(store, 2);
    expect(await refusal(putSecret(store, sampleSecret("A", { version: 2 }), 2))).toBe("VALUE_INVALID");
    expect(await versionsOf(store)).toEqual([2, 1]);
  });

  test("delete hides a secret with its versions, restore brings them back", async (store) => {
    await putVersions(store, 2);
    await putSecret(store, sampleSecret("B"));
    expect(await store.restore(A)).toBe(false);
    expect(await store.delete(A, DELETED)).toBe(true);
    expect(await store.delete(A, LATER)).toBe(false);
    expect(short(await store.list())).toBe("B1");
    expect(short(await store.list({ state: "deleted" }))).toBe("A2");
    expect(short(await store.list({ state: "all" }))).toBe("A2 B1");
    expect(await store.names()).toEqual(["A", "B"]);
    expect(short(await store.list({ state: "all", deletedSince: LATER }))).toBe("B1");
    expect(short(await store.list({ state: "deleted", deletedSince: LATER }))).toBe("");
    expect(short(await store.list({ state: "deleted", deletedSince: DELETED }))).toBe("A2");
    expect((await store.get(A))?.metadata).toEqual(sampleSecret("A", { version: 2, deletedAt: DELETED }).metadata);
    expect((await store.history(A)).map(({ metadata }) => metadata.deletedAt)).toEqual([DELETED, DELETED]);
    expect(await store.restore(A)).toBe(true);
    expect(await store.history(A)).toEqual([2, 1].map((version) => sampleSecret("A", { version })));
    expect(await store.restore(B)).toBe(false);
  });

  test("the name of a deleted secret is taken, and a new version puts it back into use", async (store) => {
    await putVersions(store, 1);
    await store.delete(A, DELETED);
    await expect(putSecret(store, sampleSecret("A", { id: OTHER_ID }))).rejects.toMatchObject({
      code: "SECRET_EXISTS",
    });
    const next = { secret: sampleSecret("A", { version: 2, deletedAt: DELETED }), expectedVersion: 1 };
    await expect(store.put([next], null)).rejects.toMatchObject({ code: "VERSION_CONFLICT" });
    expect(short(await store.list())).toBe("");
    await store.put([{ ...next, mayBeDeleted: true }], null);
    expect(await store.history(A)).toEqual([2, 1].map((version) => sampleSecret("A", { version })));
    expect(short(await store.list())).toBe("A2");
  });

  test("purge removes a secret with all versions, deleted or not, and its name is free again", async (store) => {
    await putVersions(store, 2);
    await putSecret(store, sampleSecret("B"));
    await store.delete(B, DELETED);
    for (const name of [A, B]) {
      expect(await store.purge(name)).toBe(true);
      expect(await store.purge(name)).toBe(false);
      expect(await store.get(name)).toBe(null);
      expect(await store.history(name)).toEqual([]);
    }
    expect(await store.list({ state: "all" })).toEqual([]);
    await putSecret(store, sampleSecret("A", { id: OTHER_ID }));
    expect((await store.history(A)).map(({ metadata }) => metadata.id)).toEqual([OTHER_ID]);
  });

  test("purgeDeleted removes what was deleted before a moment, and nothing that is in use", async (store) => {
    for (const name of ["A", "B", "C"]) await putSecret(store, sampleSecret(name));
    await store.delete(A, DELETED);
    await store.delete(B, LATER);
    expect(await store.purgeDeleted(DELETED)).toBe(0);
    expect(await store.purgeDeleted(LATER)).toBe(1);
    expect(short(await store.list({ state: "all" }))).toBe("B1 C1");
    expect(await store.history(A)).toEqual([]);
  });

  test("reseal replaces the envelopes of the versions that are there, and nothing else", async (store) => {
    await putVersions(store, 2);
    await store.writeHeader("one", null);
    const { envelope } = sampleSecret("A", { version: 7 });
    const again = (version: number, id?: string) => {
      const { metadata } = sampleSecret("A", { version, description: "another", ...(id === undefined ? {} : { id }) });
      return { metadata, envelope: { ...envelope, keyId: "12345678" } };
    };
    const changed = { code: "HEADER_CHANGED" };
    await expect(store.reseal([again(1)], null)).rejects.toMatchObject(changed);
    expect(await store.history(A)).toEqual([2, 1].map((version) => sampleSecret("A", { version })));
    const gone = { ...again(1), metadata: sampleSecret("B").metadata };
    await store.reseal([again(1), again(2, OTHER_ID), again(3), gone], "one");
    const { metadata } = sampleSecret("A", { version: 1 });
    expect(await store.history(A)).toEqual([
      sampleSecret("A", { version: 2 }),
      { metadata, envelope: { ...envelope, keyId: "12345678" } },
    ]);
    expect(short(await store.list())).toBe("A2");
  });

  test("the header is replaced only by who knows the last one", async (store) => {
    expect(await store.writeHeader("two", "one")).toBe(false);
    expect(await store.writeHeader("one", null)).toBe(true);
    expect(await store.writeHeader("two", null)).toBe(false);
    expect(await store.readHeader()).toBe("one");
    expect(await store.writeHeader("two", "one")).toBe(true);
    expect(await store.readHeader()).toBe("two");
  });

  test("a closed store says so", async (store) => {
    await store.close();
    await store.close();
    const closed = { code: "STORE_UNAVAILABLE" };
    await expect(store.get(A)).rejects.toMatchObject(closed);
    await expect(store.list()).rejects.toMatchObject(closed);
    await expect(putSecret(store, sampleSecret("A"))).rejects.toMatchObject(closed);
    await expect(store.history(A)).rejects.toMatchObject(closed);
    await expect(store.names()).rejects.toMatchObject(closed);
    await expect(store.reseal([], null)).rejects.toMatchObject(closed);
    await expect(store.delete(A, DELETED)).rejects.toMatchObject(closed);
    await expect(store.restore(A)).rejects.toMatchObject(closed);
    await expect(store.purge(A)).rejects.toMatchObject(closed);
    await expect(store.purgeDeleted(DELETED)).rejects.toMatchObject(closed);
    await expect(store.readHeader()).rejects.toMatchObject(closed);
  });

  it("what was put is there after closing and opening again", async () => {
    const { store, reopen } = await open();
    await putSecret(store, sampleSecret("A"));
    await store.writeHeader("one", null);
    await store.close();
    if (reopen === null) return;
    const again = await reopen();
    expect(await again.get(A)).toEqual(sampleSecret("A"));
    expect(await again.readHeader()).toBe("one");
    await again.close();
  });

  it("two openings of one place see each other's writes", async () => {
    const { store, reopen } = await open();
    if (reopen === null) return await store.close();
    const other = await reopen();
    await putSecret(store, sampleSecret("A"));
    expect(await other.get(A)).toEqual(sampleSecret("A"));
    await putSecret(other, sampleSecret("A", { version: 2 }), 1);
    await expect(putSecret(store, sampleSecret("A", { version: 2 }), 1)).rejects.toMatchObject({
      code: "VERSION_CONFLICT",
    });
    expect(await store.get(A)).toEqual(sampleSecret("A", { version: 2 }));
    await other.close();
    await store.close();
  });
}

import type { SealedSecret } from "../secret.ts";
import { parseSecretName, type SecretName } from "../secret-name.ts";
import type { SecretStore } from "../secret-store.ts";
import {
  A,
  type ContractTools,
  DELETED,
  type Expect,
  OTHER_ID,
  putVersions,
  refusal,
  short,
} from "./contract-tools.ts";
import { listContract } from "./list-contract.ts";
import { putSecret } from "./put-secret.ts";
import { sampleSecret } from "./sample-secret.ts";
import { versionsContract } from "./versions-contract.ts";

export interface StoreContractOptions {
  /** `it` of vitest, jest or node:test. */
  readonly it: (name: string, run: () => Promise<void>) => void;
  readonly expect: Expect;
  /** An empty store in a place of its own, and how to open the same place again (null: it does not outlive `close`). */
  readonly open: () => Promise<{ store: SecretStore; reopen: (() => Promise<SecretStore>) | null }>;
}

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
  const test: ContractTools["test"] = (name, run) => {
    it(name, async () => {
      const { store } = await open();
      try {
        await run(store);
      } finally {
        await store.close();
      }
    });
  };

  listContract({ test, expect });
  versionsContract({ test, expect });

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

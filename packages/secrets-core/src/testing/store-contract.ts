import type { EncryptedSecret } from "../secret.ts";
import { parseSecretName, type SecretName } from "../secret-name.ts";
import {
  A,
  type ContractTools,
  DELETED,
  type Expect,
  ID_A,
  ID_B,
  type OpenedStore,
  OTHER_ID,
  putSecret,
  refusal,
  short,
} from "./contract-tools.ts";
import { anchorContract, headerContract } from "./header-contract.ts";
import { listContract } from "./list-contract.ts";
import { reencryptContract } from "./reencrypt-contract.ts";
import { rewriteContract } from "./rewrite-contract.ts";
import { sampleSecret } from "./sample-secret.ts";
import { upgradeContract, type Version1Content } from "./upgrade-contract.ts";
import { versionsContract } from "./versions-contract.ts";

export interface StoreContractOptions {
  /** `it` of vitest, jest or node:test. */
  readonly it: (name: string, run: () => Promise<void>) => void;
  readonly expect: Expect;
  /** Opens a new empty store. */
  readonly open: () => Promise<OpenedStore>;
  /** Opens a new store in layout 1. Default: skip the tests of layout 1, for drivers that never had it. */
  readonly openVersion1?: ((content: Version1Content) => Promise<OpenedStore>) | undefined;
}

/**
 * Registers one test for each promise of {@link SecretStore}. The test file of a store is one call:
 *
 * ```ts
 * import { expect, it } from "vitest";
 * import { secretStoreContract } from "@autokestra/secrets-core/testing";
 *
 * secretStoreContract({
 *   it,
 *   expect,
 *   open: async () => {
 *     const path = newPath();
 *     return { store: await openMyStore(path), reopen: async () => await openMyStore(path) };
 *   },
 * });
 * ```
 */
export function secretStoreContract({ it, expect, open, openVersion1 }: StoreContractOptions): void {
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
  const tools = { test, expect };

  readContract(tools);
  inputContract(tools);
  putContract(tools);
  headerContract(tools);
  listContract(tools);
  versionsContract(tools);
  rewriteContract(tools);
  reencryptContract(tools);
  anchorContract(tools);
  closeContract(tools);
  reopenContract({ it, expect, open });
  if (openVersion1 !== undefined) upgradeContract({ it, expect, openVersion1 });
}

function readContract({ test, expect }: ContractTools): void {
  test("an empty store has no header, no secrets and nothing to delete", async (store) => {
    expect(await store.layout()).toBe(2);
    expect(await store.readHeader()).toBe(null);
    expect(await store.get(A)).toBe(null);
    expect(await store.find(ID_A)).toBe(null);
    expect(await store.list()).toEqual([]);
    expect(await store.versions(ID_A)).toEqual([]);
    expect(await store.ids()).toEqual([]);
    expect(await store.readAnchor("audit")).toBe(null);
    expect(await store.delete(ID_A, DELETED)).toBe(false);
    expect(await store.purge(ID_A)).toBe(false);
    expect(await store.purgeDeleted(DELETED)).toBe(0);
    expect(await store.upgrade("one", null, () => "")).toBe(false);
  });

  test("get and find return what put was given, to the byte", async (store) => {
    const secret = sampleSecret("A", {
      type: "oauth",
      description: "für – \"quotes\", 'ticks', 日本語, 🔑",
      tags: ["prod", "team:ops", "ü"],
      revision: 7,
      expiresAt: "2030-01-01T00:00:00.000Z",
      importedId: 0,
      policy: '{"workflows":["für"]}',
    });
    await putSecret(store, secret);
    expect(await store.get(A)).toEqual(secret);
    expect(await store.find(ID_A)).toEqual(secret);
    expect(await store.find(ID_B)).toBe(null);
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
}

function inputContract({ test, expect }: ContractTools): void {
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
    const { metadata, envelope, mac } = sampleSecret("A");
    const forgeries: object[] = [
      { metadata: { ...metadata, id: "hunter2" }, envelope, mac },
      { metadata: { ...metadata, tags: ["hunter2\n"] }, envelope, mac },
      { metadata: { ...metadata, version: 0 }, envelope, mac },
      { metadata: { ...metadata, revision: undefined }, envelope, mac },
      { metadata: { ...metadata, importedId: -1 }, envelope, mac },
      { metadata: { ...metadata, policy: {} }, envelope, mac },
      { metadata: { ...metadata, deletedAt: DELETED }, envelope, mac },
      { metadata, envelope: { ...envelope, ciphertext: "hunter2" }, mac },
      { metadata, envelope, mac: 7 },
      { metadata, envelope },
      { metadata, mac },
    ];
    for (const forged of forgeries) {
      expect(await refusal(putSecret(store, forged as EncryptedSecret))).toBe("VALUE_INVALID");
    }
    expect(await store.list()).toEqual([]);
  });
}

function putContract({ test, expect }: ContractTools): void {
  test("put with null refuses a name that is taken", async (store) => {
    await putSecret(store, sampleSecret("A"));
    await expect(putSecret(store, sampleSecret("A", { id: OTHER_ID }))).rejects.toMatchObject({
      code: "SECRET_EXISTS",
    });
    expect(await store.get(A)).toEqual(sampleSecret("A"));
  });

  test("put with null refuses an id that is taken", async (store) => {
    await putSecret(store, sampleSecret("A"));
    expect(await refusal(putSecret(store, sampleSecret("B", { id: ID_A })))).toBe("SECRET_EXISTS");
    expect(short(await store.list())).toBe("A1");
  });

  test("put with a revision follows exactly that revision of the same secret", async (store) => {
    const next = sampleSecret("A", { version: 2, revision: 6 });
    await putSecret(store, sampleSecret("A", { revision: 5 }));
    await putSecret(store, next, { id: ID_A, revision: 5 });
    expect(await store.get(A)).toEqual(next);
    const refused = [
      [sampleSecret("A", { version: 2, revision: 6 }), { id: ID_A, revision: 5 }],
      [sampleSecret("A", { version: 3, revision: 8 }), { id: ID_A, revision: 7 }],
      [sampleSecret("A", { version: 3, revision: 7, id: OTHER_ID }), { id: OTHER_ID, revision: 6 }],
      [sampleSecret("A", { version: 3, revision: 7, id: OTHER_ID }), { id: ID_A, revision: 6 }],
      [sampleSecret("A", { version: 3, revision: 7 }), { id: OTHER_ID, revision: 6 }],
      [sampleSecret("B", { version: 2, revision: 2 }), { id: ID_B, revision: 1 }],
      [sampleSecret("B", { version: 3, revision: 7, id: ID_A }), { id: ID_A, revision: 6 }],
    ] as const;
    for (const [secret, expected] of refused) {
      expect(await refusal(putSecret(store, secret, expected))).toBe("VERSION_CONFLICT");
    }
    expect(await store.get(A)).toEqual(next);
    expect(short(await store.list({ state: "all" }))).toBe("A2");
  });

  test("of many writers of one version exactly one wins", async (store) => {
    await putSecret(store, sampleSecret("A"));
    const next = sampleSecret("A", { version: 2 });
    const writers = Array.from({ length: 20 }, () => putSecret(store, next, { id: ID_A, revision: 1 }));
    const outcomes = await Promise.allSettled(writers);
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled").length).toBe(1);
  });

  test("put writes all secrets or none", async (store) => {
    await putSecret(store, sampleSecret("B"));
    const writes = ["A", "B", "C"].map((name) => ({ secret: sampleSecret(name), expected: null }));
    await expect(store.put(writes, null)).rejects.toMatchObject({ code: "SECRET_EXISTS" });
    expect((await store.list()).map((metadata) => metadata.name)).toEqual(["B"]);
    const next = { secret: sampleSecret("B", { version: 2 }), expected: { id: ID_B, revision: 1 } };
    await store.put([...writes.filter(({ secret }) => secret.metadata.name !== "B"), next], null);
    expect(short(await store.list())).toBe("A1 B2 C1");
    await store.put([], null);
  });
}

function closeContract({ test, expect }: ContractTools): void {
  test("a closed store says so", async (store) => {
    await store.close();
    await store.close();
    const { envelope } = sampleSecret("A");
    const attempts = {
      layout: store.layout(),
      upgrade: store.upgrade("", null, () => ""),
      readHeader: store.readHeader(),
      writeHeader: store.writeHeader("one", null),
      get: store.get(A),
      find: store.find(ID_A),
      versions: store.versions(ID_A),
      ids: store.ids(),
      list: store.list(),
      put: store.put([{ secret: sampleSecret("A"), expected: null }], null),
      rewrite: store.rewrite({ versions: [sampleSecret("A")], nonces: [envelope.nonce], revision: 1 }, null),
      reencrypt: store.reencrypt([], null),
      delete: store.delete(ID_A, DELETED),
      purge: store.purge(ID_A),
      purgeDeleted: store.purgeDeleted(DELETED),
      readAnchor: store.readAnchor("audit"),
      anchors: store.anchors(),
      writeAnchor: store.writeAnchor({ name: "audit", counter: 1, text: "", mac: "" }, null),
    };
    for (const [method, attempt] of Object.entries(attempts)) {
      expect({ method, code: await refusal(attempt) }).toEqual({ method, code: "STORE_UNAVAILABLE" });
    }
  });
}

function reopenContract({ it, expect, open }: Pick<StoreContractOptions, "it" | "expect" | "open">): void {
  it("what was put is there after closing and opening again", async () => {
    const { store, reopen } = await open();
    const anchor = { name: "audit", counter: 1, text: "text", mac: "mac" };
    await putSecret(store, sampleSecret("A"));
    await store.writeHeader("one", null);
    await store.writeAnchor(anchor, null);
    await store.close();
    if (reopen === null) return;
    const again = await reopen();
    expect(await again.get(A)).toEqual(sampleSecret("A"));
    expect(await again.readHeader()).toBe("one");
    expect(await again.readAnchor("audit")).toEqual(anchor);
    expect(await again.layout()).toBe(2);
    await again.close();
  });

  it("two openings of one place see each other's writes", async () => {
    const { store, reopen } = await open();
    if (reopen === null) return await store.close();
    const other = await reopen();
    const next = sampleSecret("A", { version: 2 });
    const expected = { id: ID_A, revision: 1 };
    await putSecret(store, sampleSecret("A"));
    expect(await other.get(A)).toEqual(sampleSecret("A"));
    await putSecret(other, next, expected);
    await expect(putSecret(store, next, expected)).rejects.toMatchObject({ code: "VERSION_CONFLICT" });
    expect(await store.get(A)).toEqual(next);
    await other.close();
    await store.close();
  });
}

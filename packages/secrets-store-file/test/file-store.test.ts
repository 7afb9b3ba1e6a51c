import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleSecret, secretStoreContract } from "@autokestra/secrets-core/testing";
import { describe, expect, it } from "vitest";
import { openFileStore } from "../src/index.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const A = parseSecretName("A");

secretStoreContract({
  it,
  expect,
  open: async () => {
    const path = join(temporaryFolder(), "secrets.json");
    return { store: await openFileStore(path), reopen: async () => await openFileStore(path) };
  },
});

it("opening, reading and deleting nothing make nothing", async () => {
  const folder = temporaryFolder();
  const store = await openFileStore(join(folder, "a", "secrets.json"));
  expect([await store.get(A), await store.list(), await store.readHeader(), await store.delete(A)]).toEqual([
    null,
    [],
    null,
    false,
  ]);
  await store.close();
  expect(readdirSync(folder)).toEqual([]);
});

it("a write leaves the file and nothing else", async () => {
  const folder = temporaryFolder();
  const store = await openFileStore(join(folder, "secrets.json"));
  await putSecret(store, sampleSecret("A"));
  await expect(putSecret(store, sampleSecret("A"))).rejects.toMatchObject({ code: "SECRET_EXISTS" });
  expect(readdirSync(folder)).toEqual(["secrets.json"]);
  await store.close();
});

it("writes that were begun before close are done after it", async () => {
  const path = join(temporaryFolder(), "secrets.json");
  const store = await openFileStore(path);
  const writes = ["A", "B"].map(
    async (name) => await store.put([{ secret: sampleSecret(name), expectedVersion: null }], null),
  );
  await store.close();
  const again = await openFileStore(path);
  expect(await again.list()).toHaveLength(2);
  await again.close();
  await Promise.all(writes);
});

describe("a file that is not a store", () => {
  it.each([
    ["an empty file", (path: string) => truncateSync(path, 0)],
    ["a text", (path: string) => writeFileSync(path, "GITHUB_TOKEN=abc\n")],
    ["zeros", (path: string) => writeFileSync(path, Buffer.alloc(4096))],
    [
      "bytes that are no UTF-8",
      (path: string) => writeFileSync(path, '{"format":1,"header":"\xff","secrets":[]}', "latin1"),
    ],
    ["a zeroed page", (path: string) => writeFileSync(path, readFileSync(path).fill(0, 0, 100))],
    ["a merge conflict", (path: string) => writeFileSync(path, `<<<<<<< HEAD\n${readFileSync(path, "utf8")}`)],
    ["a list", (path: string) => writeFileSync(path, "[]")],
    ["null", (path: string) => writeFileSync(path, "null")],
    ["another JSON", (path: string) => writeFileSync(path, '{"name":"left-pad"}')],
    ["format 0", (path: string) => writeFileSync(path, '{"format":0,"header":null,"secrets":[]}')],
    ["format 1.5", (path: string) => writeFileSync(path, '{"format":1.5,"header":null,"secrets":[]}')],
    ["no header", (path: string) => writeFileSync(path, '{"format":1,"secrets":[]}')],
    ["a header that is no text", (path: string) => writeFileSync(path, '{"format":1,"header":7,"secrets":[]}')],
    ["no secrets", (path: string) => writeFileSync(path, '{"format":1,"header":null}')],
    ["secrets by name", (path: string) => writeFileSync(path, '{"format":1,"header":null,"secrets":{}}')],
    ["an unknown part", (path: string) => writeFileSync(path, '{"format":1,"header":null,"secrets":[],"x":1}')],
    ["a nameless secret", (path: string) => writeFileSync(path, '{"format":1,"header":null,"secrets":[{}]}')],
    [
      "two of one name",
      (path: string) => writeFileSync(path, '{"format":1,"header":null,"secrets":[{"name":"A"},{"name":"A"}]}'),
    ],
  ])("is STORE_CORRUPT and stays as it is: %s", async (_, damage) => {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    await putSecret(store, sampleSecret("A"));
    damage(path);
    const before = readFileSync(path);
    const corrupt = { code: "STORE_CORRUPT", message: expect.stringContaining(path) };
    await expect(openFileStore(path)).rejects.toMatchObject(corrupt);
    await expect(store.get(A)).rejects.toMatchObject(corrupt);
    await expect(store.list()).rejects.toMatchObject(corrupt);
    await expect(store.readHeader()).rejects.toMatchObject(corrupt);
    await expect(putSecret(store, sampleSecret("B"))).rejects.toMatchObject(corrupt);
    await expect(store.delete(A)).rejects.toMatchObject(corrupt);
    await store.close();
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("is STORE_CORRUPT wherever it was cut", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    await putSecret(store, sampleSecret("A"));
    await store.close();
    const whole = readFileSync(path);
    // Only the last newline may be missing.
    for (let length = 0; length < whole.length - 1; length += 1) {
      writeFileSync(path, whole.subarray(0, length));
      await expect(openFileStore(path)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    }
  });

  it("is STORE_TOO_NEW and stays as it is where its format is newer", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    const newer = '{"format":2,"vaults":{}}';
    writeFileSync(path, newer, { mode: 0o600 });
    const tooNew = { code: "STORE_TOO_NEW", message: expect.stringContaining("format 2") };
    await expect(openFileStore(path)).rejects.toMatchObject(tooNew);
    await expect(putSecret(store, sampleSecret("A"))).rejects.toMatchObject(tooNew);
    await store.close();
    expect(readFileSync(path, "utf8")).toBe(newer);
  });
});

describe("an entry that no store has written", () => {
  const entryA = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, "utf8")).secrets[0];

  async function tampered(change: object) {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    await putSecret(store, sampleSecret("A"));
    await putSecret(store, sampleSecret("B"));
    const document = JSON.parse(readFileSync(path, "utf8"));
    Object.assign(document.secrets[0], change);
    writeFileSync(path, JSON.stringify(document));
    return { path, store };
  }

  const damaged = { code: "STORE_CORRUPT", message: expect.stringContaining("Secret 'A' is damaged") };

  it.each([
    { id: "no uuid" },
    { type: "password" },
    { tags: {} },
    { tags: [1] },
    { version: 0 },
    { createdAt: "yesterday" },
    { expiresAt: undefined },
    { description: "\n" },
  ])("is named, kept as it is, and does not hide the others: %j", async (change) => {
    const { path, store } = await tampered(change);
    const before = entryA(path);
    await expect(store.get(A)).rejects.toMatchObject(damaged);
    await expect(store.list()).rejects.toMatchObject(damaged);
    expect(await store.get(parseSecretName("B"))).toEqual(sampleSecret("B"));
    await putSecret(store, sampleSecret("C"));
    expect(entryA(path)).toEqual(before);
    expect(await store.delete(A)).toBe(true);
    expect((await store.list()).map((metadata) => metadata.name)).toEqual(["B", "C"]);
    await store.close();
  });

  it.each([{ envelope: null }, { envelope: {} }, { envelope: { format: 1, keyId: "0badcafe", nonce: "####" } }])(
    "is listed with the others where only its envelope is damaged: %j",
    async (change) => {
      const { store } = await tampered(change);
      await expect(store.get(A)).rejects.toMatchObject(damaged);
      expect(await store.list()).toEqual([sampleSecret("A").metadata, sampleSecret("B").metadata]);
      await store.close();
    },
  );
});

it("a store whose file is removed is empty, and begins again", async () => {
  const path = join(temporaryFolder(), "secrets.json");
  const store = await openFileStore(path);
  await putSecret(store, sampleSecret("A"));
  rmSync(path);
  expect(await store.get(A)).toBe(null);
  await putSecret(store, sampleSecret("A"));
  expect(existsSync(path)).toBe(true);
  await store.close();
});

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleSecret, secretStoreContract } from "@autokestra/secrets-core/testing";
import { describe, expect, it } from "vitest";
import { openFileStore } from "../src/index.ts";
import { modeOf, temporaryFolder } from "./temporary-folder.ts";

const A = parseSecretName("A");
const NOW = "2026-02-01T00:00:00.000Z";

secretStoreContract({
  it,
  expect,
  open: async () => {
    const path = join(temporaryFolder(), "secrets.json");
    return { store: await openFileStore(path), reopen: async () => await openFileStore(path) };
  },
});

it("opening makes the file, and reading and writing nothing make nothing more", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "a", "secrets.json");
  const store = await openFileStore(path);
  const before = readFileSync(path);
  rmSync(join(folder, "a"), { recursive: true });
  mkdirSync(join(folder, "a"), { mode: 0o500 });
  writeFileSync(path, before);
  // A lock would make a folder, and count as another time of the folder.
  const { mtimeNs } = statSync(join(folder, "a"), { bigint: true });
  expect([await store.get(A), await store.list(), await store.readHeader(), await store.history(A)]).toEqual([
    null,
    [],
    null,
    [],
  ]);
  const nothing = [await store.delete(A, NOW), await store.restore(A), await store.purge(A)];
  expect([...nothing, await store.purgeDeleted(NOW), await store.writeHeader("two", "one")]).toEqual([
    false,
    false,
    false,
    0,
    false,
  ]);
  await store.close();
  expect(statSync(join(folder, "a"), { bigint: true }).mtimeNs).toBe(mtimeNs);
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
    await expect(store.delete(A, NOW)).rejects.toMatchObject(corrupt);
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
    await expect(store.history(A)).rejects.toMatchObject(damaged);
    await expect(store.list()).rejects.toMatchObject(damaged);
    expect(await store.list({ after: "A" })).toEqual([sampleSecret("B").metadata]);
    expect(await store.get(parseSecretName("B"))).toEqual(sampleSecret("B"));
    await putSecret(store, sampleSecret("C"));
    expect(entryA(path)).toEqual(before);
    expect(await store.delete(A, NOW)).toBe(true);
    expect(await store.purgeDeleted("2099-01-01T00:00:00.000Z")).toBe(0);
    expect(await store.restore(A)).toBe(true);
    expect({ ...entryA(path), deletedAt: null }).toEqual({ ...before, deletedAt: null });
    await expect(putSecret(store, sampleSecret("A", { version: 2 }), 1)).rejects.toMatchObject(damaged);
    expect(await store.purge(A)).toBe(true);
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

  it.each([{ older: null }, { older: {} }, { older: undefined }])(
    "can be read, but not written to, where its older versions cannot: %j",
    async (change) => {
      const { path, store } = await tampered(change);
      const before = entryA(path);
      expect(await store.get(A)).toEqual(sampleSecret("A"));
      await expect(store.history(A)).rejects.toMatchObject(damaged);
      await expect(putSecret(store, sampleSecret("A", { version: 2 }), 1)).rejects.toMatchObject(damaged);
      expect(entryA(path)).toEqual(before);
      await store.close();
    },
  );

  it("keeps what we do not know, and older versions that are damaged, through every change", async () => {
    const broken = [{ version: 0, x: 1 }, "what is this?"];
    const { path, store } = await tampered({ version: 3, colour: "red", older: broken });
    await store.delete(A, NOW);
    await store.restore(A);
    await store.reseal([sampleSecret("A", { version: 3 })], null);
    expect(entryA(path)).toMatchObject({ version: 3, colour: "red", older: broken });
    await putSecret(store, sampleSecret("A", { version: 4 }), 3);
    expect(entryA(path)).toMatchObject({ version: 4, older: [{ version: 3, colour: "red" }, ...broken] });
    await store.close();
  });
});

describe("a file that is gone", () => {
  const gone = {
    code: "STORE_UNAVAILABLE",
    message: expect.stringMatching(/it was moved or removed while it was open$/),
  };

  it.each([
    ["removed", (path: string) => rmSync(path)],
    ["moved", (path: string) => renameSync(path, `${path}.old`)],
    ["moved with its folder", (path: string) => renameSync(dirname(path), `${dirname(path)}.old`)],
  ])("because it was %s is no empty store, and nobody makes a new one", async (_, move) => {
    const folder = temporaryFolder();
    const path = join(folder, "store", "secrets.json");
    const store = await openFileStore(path);
    await putSecret(store, sampleSecret("A"));
    move(path);
    const before = readdirSync(folder, { recursive: true });
    const attempts = [
      store.readHeader(),
      store.writeHeader("one", null),
      store.get(A),
      store.history(A),
      store.list(),
      store.put([{ secret: sampleSecret("B"), expectedVersion: null }], null),
      store.reseal([], null),
      store.delete(A, NOW),
      store.restore(A),
      store.purge(A),
      store.purgeDeleted(NOW),
      store.load([]),
      store.backup(join(folder, "copy.json")),
      store.exclusively(async () => expect.unreachable()),
    ];
    for (const attempt of attempts) await expect(attempt).rejects.toMatchObject(gone);
    await store.close();
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
  });

  it("is not made where `create` is false, nor is its folder", async () => {
    const folder = temporaryFolder();
    await expect(openFileStore(join(folder, "a", "secrets.json"), { create: false })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringMatching(/it was moved or removed$/),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("is opened where `create` is false and it is there", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    await (await openFileStore(path)).close();
    const store = await openFileStore(path, { create: false });
    await putSecret(store, sampleSecret("A"));
    expect(await store.get(A)).toEqual(sampleSecret("A"));
    await store.close();
  });
});

describe("exclusively", () => {
  it("lets nobody write, not even this opening, and others go on where the file is replaced", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "secrets.json");
    const store = await openFileStore(path);
    const other = await openFileStore(path, { lockTimeoutMs: 0 });
    await putSecret(store, sampleSecret("A"));
    await store.backup(join(folder, "copy.json"));
    await putSecret(store, sampleSecret("B"));
    const outcome = await store.exclusively(async () => {
      await expect(putSecret(other, sampleSecret("C"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await expect(putSecret(store, sampleSecret("C"))).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
        message: expect.stringContaining("it is being moved or replaced"),
      });
      renameSync(join(folder, "copy.json"), path);
      return "replaced";
    });
    expect(outcome).toBe("replaced");
    await store.close();
    expect((await other.list()).map(({ name }) => name)).toEqual(["A"]);
    await putSecret(other, sampleSecret("D"));
    await other.close();
    expect(readdirSync(folder)).toEqual(["secrets.json"]);
  });

  it("does no work on what was moved while it waited", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    const [store, other] = [await openFileStore(path), await openFileStore(path)];
    let waiting: Promise<unknown> = Promise.resolve();
    await store.exclusively(async () => {
      waiting = other.exclusively(async () => expect.unreachable());
      // So that it waits for the lock by now.
      await setTimeout(50);
      renameSync(path, `${path}.old`);
    });
    await expect(waiting).rejects.toMatchObject({ message: expect.stringContaining("it was moved or removed while") });
    await store.close();
    await other.close();
  });

  it("waits for the updates that were begun", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    const writes = ["A", "B"].map(async (name) => {
      await store.put([{ secret: sampleSecret(name), expectedVersion: null }], null);
    });
    const count = await store.exclusively(async () => (await store.list()).length);
    await Promise.all(writes);
    expect(count).toBe(2);
    await store.close();
  });
});

describe("backup", () => {
  it("is 0600 under any name, names its own path in errors, and sweeps what a killed one has left", async () => {
    const folder = temporaryFolder();
    const store = await openFileStore(join(folder, "secrets.json"));
    await putSecret(store, sampleSecret("A"));
    const copy = join(folder, "a copy");
    writeFileSync(`${copy}.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`, "half");
    await store.backup(copy);
    expect([modeOf(copy), readdirSync(folder)]).toEqual(["600", ["a copy", "secrets.json"]]);
    expect(readFileSync(copy)).toEqual(readFileSync(join(folder, "secrets.json")));
    await expect(store.backup(copy)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: `Secret store "${copy}" cannot be used: there is something of this name already`,
    });
    const nowhere = join(folder, "none", "copy");
    await expect(store.backup(nowhere)).rejects.toMatchObject({
      message: `Secret store "${nowhere}" cannot be used: no such file or directory (ENOENT)`,
    });
    await store.close();
  });
});

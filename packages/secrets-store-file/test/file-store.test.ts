import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleSecret, secretStoreContract } from "@autokestra/secrets-core/testing";
import { modeOf, run, temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { openFileStore } from "../src/index.ts";
import { bundle } from "./child.ts";
import { writeVersion1 } from "./version-1.ts";

const A = parseSecretName("A");
const ID_A = sampleSecret("A").metadata.id;
const NOW = "2026-02-01T00:00:00.000Z";

secretStoreContract({
  it,
  expect,
  open: async () => {
    const path = join(temporaryFolder(), "secrets.json");
    return { store: await openFileStore(path), reopen: async () => await openFileStore(path) };
  },
  openVersion1: async (content) => {
    const path = join(temporaryFolder(), "secrets.json");
    writeVersion1(path, content);
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
  expect(await Promise.all([store.get(A), store.find(ID_A), store.readHeader(), store.readAnchor("audit")])).toEqual([
    null,
    null,
    null,
    null,
  ]);
  expect(await Promise.all([store.list(), store.ids(), store.versions(ID_A), store.anchors()])).toEqual([
    [],
    [],
    [],
    [],
  ]);
  expect([await store.layout(), await store.upgrade("two", null, () => expect.unreachable())]).toEqual([2, false]);
  const anchor = { name: "audit", counter: 2, text: "", mac: "" };
  expect([await store.delete(ID_A, NOW), await store.purge(ID_A), await store.purgeDeleted(NOW)]).toEqual([
    false,
    false,
    0,
  ]);
  expect([await store.writeHeader("two", "one"), await store.writeAnchor(anchor, 1)]).toEqual([false, false]);
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
    async (name) => await store.put([{ secret: sampleSecret(name), expected: null }], null),
  );
  await store.close();
  const again = await openFileStore(path);
  expect(await again.list()).toHaveLength(2);
  await again.close();
  await Promise.all(writes);
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
      store.find(ID_A),
      store.versions(ID_A),
      store.ids(),
      store.list(),
      store.layout(),
      store.upgrade("one", null, () => ""),
      store.readAnchor("audit"),
      store.writeAnchor({ name: "audit", counter: 1, text: "", mac: "" }, null),
      store.anchors(),
      store.put([{ secret: sampleSecret("B"), expected: null }], null),
      store.rewrite({ versions: [sampleSecret("A")], nonces: [new Uint8Array(12)], revision: 1 }, null),
      store.reencrypt([], null),
      store.delete(ID_A, NOW),
      store.purge(ID_A),
      store.purgeDeleted(NOW),
      store.bulkInsert([]),
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
      await store.put([{ secret: sampleSecret(name), expected: null }], null);
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
      message: `Secret store "${copy}" cannot be used: it already exists`,
    });
    const nowhere = join(folder, "none", "copy");
    await expect(store.backup(nowhere)).rejects.toMatchObject({
      message: `Secret store "${nowhere}" cannot be used: no such file or directory (ENOENT)`,
    });
    await store.close();
  });

  it("is closed to others at every instant, and whole, also where two make one of the same name at once", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "secrets.json");
    const store = await openFileStore(path);
    await store.bulkInsert(Array.from({ length: 300 }, (_, index) => [sampleSecret(`S${index}`)]));
    await store.close();
    const file = await bundle("copier.ts");
    let ended = 0;
    const copiers = [1, 2].map(async () => {
      const made = await run(file, [path, join(folder, "copy "), "30"], "000");
      ended += 1;
      return Number(made);
    });
    const modes = new Set<string>();
    while (ended < copiers.length) {
      for (const name of readdirSync(folder)) {
        const stat = lstatSync(join(folder, name), { throwIfNoEntry: false });
        if (stat !== undefined) modes.add((stat.mode & 0o777).toString(8));
      }
      await setImmediate();
    }
    const made = await Promise.all(copiers);
    expect([...modes]).toEqual(["600"]);
    expect(made.reduce((sum, count) => sum + count)).toBe(30);
    const copies = readdirSync(folder).filter((name) => name !== "secrets.json");
    expect(copies).toHaveLength(30);
    for (const name of copies) expect(readFileSync(join(folder, name)).equals(readFileSync(path))).toBe(true);
  });
});

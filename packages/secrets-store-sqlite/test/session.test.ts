import { existsSync, linkSync, readdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleId, sampleSecret } from "@autokestra/secrets-core/testing";
import { run, temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { library, openDatabase } from "../../sqlite/test/open-database.ts";
import { openConnection } from "../src/connection.ts";
import { openSqliteStore } from "../src/index.ts";
import { bundle } from "./child.ts";

const A = parseSecretName("A");

async function sampleStore() {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path, { busyTimeoutMs: 50 });
  await putSecret(store, sampleSecret("A"));
  return { path, store };
}

describe("create: false", () => {
  it.each(["secrets.db", "none/secrets.db"])("is an error where there is no %s, and makes nothing", async (name) => {
    const folder = temporaryFolder();
    await expect(openSqliteStore(join(folder, name), { create: false })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringMatching(/: it was moved or removed$/),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("opens what is there", async () => {
    const { path, store } = await sampleStore();
    const again = await openSqliteStore(path, { create: false });
    expect(await again.get(A)).toEqual(sampleSecret("A"));
    await again.close();
    await store.close();
  });
});

it("facts tell what SQLite is and how it writes", async () => {
  const { store } = await sampleStore();
  const { version, ...facts } = await store.facts();
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  expect(major * 1_000_000 + minor * 1000 + patch).toBeGreaterThanOrEqual(3_051_003);
  expect(facts).toEqual({
    library: library.name,
    journalMode: "wal",
    synchronous: 2,
    secureDelete: true,
    isSound: true,
  });
  await store.close();
});

it("a write has the lock before it reads: what it has read is still so when it writes", () => {
  const path = join(temporaryFolder(), "secrets.db");
  const connection = openConnection(library, path, true);
  const other = openDatabase(path, { timeoutMs: 0 });
  connection.write(() => {
    expect(() => other.exec("INSERT INTO store_header VALUES (1, 'theirs')")).toThrow(/locked/);
  });
  other.exec("INSERT INTO store_header VALUES (1, 'theirs')");
  other.close();
  connection.database.close();
});

it("many processes that count in one secret lose nothing, and none of them hears of a lock", async () => {
  const { path, store } = await sampleStore();
  await store.close();
  const counter = await bundle("counter.ts");
  const outputs = await Promise.all(Array.from({ length: 4 }, async () => await run(counter, [path, "25"])));
  expect(outputs).toEqual(["25", "25", "25", "25"]);
  const again = await openSqliteStore(path);
  expect((await again.versions(sampleId("A"))).map(({ metadata }) => metadata.version)).toEqual(
    Array.from({ length: 10 }, (_, index) => 101 - index),
  );
  await again.close();
});

describe("exclusively", () => {
  const inUse = { code: "STORE_UNAVAILABLE", message: expect.stringMatching(/another process has it in use$/) };

  it("has everything in the one file, lets nobody else in, and reads", async () => {
    const { path, store } = await sampleStore();
    const other = openDatabase(path, { timeoutMs: 0 });
    other.close();
    const outcome = await store.exclusively(async () => {
      expect(existsSync(`${path}-wal`)).toBe(false);
      await expect(openSqliteStore(path, { busyTimeoutMs: 50 })).rejects.toMatchObject({
        message: expect.stringContaining("another process keeps it locked"),
      });
      return (await store.get(A))?.metadata.version;
    });
    expect(outcome).toBe(1);
    await store.close();
    expect(readdirSync(dirname(path))).toEqual(["secrets.db"]);
    const again = await openSqliteStore(path);
    expect(await again.get(A)).toEqual(sampleSecret("A"));
    await again.close();
  });

  it("is refused while another one is open, and nothing is changed by that", async () => {
    const { path, store } = await sampleStore();
    const other = await openSqliteStore(path);
    await other.get(A);
    await expect(store.exclusively(async () => expect.unreachable())).rejects.toMatchObject(inUse);
    await putSecret(other, sampleSecret("B"));
    await putSecret(store, sampleSecret("C"));
    expect((await other.list()).map(({ name }) => name)).toEqual(["A", "B", "C"]);
    await other.close();
    expect(await store.exclusively(async () => "alone")).toBe("alone");
    await store.close();
  });

  it("lets the file be replaced: who was waiting opens the new one", async () => {
    const { path, store } = await sampleStore();
    const folder = temporaryFolder();
    const replacement = await openSqliteStore(join(folder, "new.db"));
    await putSecret(replacement, sampleSecret("NEW"));
    await replacement.close();
    const opening = await store.exclusively(async () => {
      const waiting = openSqliteStore(path, { busyTimeoutMs: 20_000 });
      linkSync(path, join(folder, "old.db"));
      renameSync(join(folder, "new.db"), path);
      return { waiting };
    });
    await store.close();
    const next = await opening.waiting;
    expect((await next.list()).map(({ name }) => name)).toEqual(["NEW"]);
    await next.close();
    const old = await openSqliteStore(join(folder, "old.db"));
    expect((await old.list()).map(({ name }) => name)).toEqual(["A"]);
    await old.close();
  });

  it("passes on what the work throws, and closing gives way to others", async () => {
    const { path, store } = await sampleStore();
    const fail = async () => {
      throw new RangeError("broken");
    };
    await expect(store.exclusively(fail)).rejects.toThrow("broken");
    await store.close();
    const again = await openSqliteStore(path);
    expect(await again.get(A)).toEqual(sampleSecret("A"));
    await again.close();
  });
});

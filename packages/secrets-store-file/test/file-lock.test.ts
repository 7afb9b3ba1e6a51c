// @module-tag faults
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { modeOf, run, temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { withFileLock } from "../src/file-lock.ts";
import { openFileStore } from "../src/index.ts";
import { bundle, runAndKill } from "./child.ts";

it("a lock that is held is an error that names the store, and readers do not care", async () => {
  const path = join(temporaryFolder(), "secrets.json");
  const store = await openFileStore(path, { lockTimeoutMs: 50 });
  await putSecret(store, sampleSecret("A"));
  await withFileLock(path, 0, async () => {
    const locked = {
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining(`${path}" cannot be used: another process keeps it locked`),
      hint: expect.stringContaining(`${path}.lock`),
    };
    await expect(putSecret(store, sampleSecret("B"))).rejects.toMatchObject(locked);
    await expect(store.purge(sampleSecret("A").metadata.id)).rejects.toMatchObject(locked);
    await expect(store.writeHeader("one", null)).rejects.toMatchObject(locked);
    expect(await store.get(parseSecretName("A"))).toEqual(sampleSecret("A"));
  });
  await putSecret(store, sampleSecret("B"));
  expect(await store.list()).toHaveLength(2);
  await store.close();
});

it.each([0, -1, Number.NaN])("with a timeout of %s a lock that is held is an error at once", async (timeout) => {
  const path = join(temporaryFolder(), "secrets.json");
  await withFileLock(path, 0, async () => {
    const attempt = withFileLock(path, timeout, async () => "entered");
    await expect(attempt).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});

it("the lock is a folder that only its owner can enter, and it is gone afterwards, also after an error", async () => {
  const path = join(temporaryFolder(), "secrets.json");
  const failing = withFileLock(path, 0, async () => {
    expect(modeOf(`${path}.lock`)).toBe("700");
    throw new Error("failed");
  });
  await expect(failing).rejects.toThrow("failed");
  expect(existsSync(`${path}.lock`)).toBe(false);
});

it("the lock of a killed process is taken over once it is stale", async () => {
  const path = join(temporaryFolder(), "secrets.json");
  mkdirSync(`${path}.lock`);
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(`${path}.lock`, longAgo, longAgo);
  expect(await withFileLock(path, 0, async () => statSync(`${path}.lock`).mtimeMs > longAgo.getTime())).toBe(true);
});

it("what a killed first run has left is swept by the next", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.json");
  writeFileSync(`${path}.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`, "half");
  mkdirSync(`${path}.lock`);
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(`${path}.lock`, longAgo, longAgo);
  const store = await openFileStore(path);
  await putSecret(store, sampleSecret("A"));
  await store.close();
  expect(readdirSync(folder)).toEqual(["secrets.json"]);
});

it("a lock that was taken away meanwhile does not turn finished work into an error", async () => {
  const path = join(temporaryFolder(), "secrets.json");
  expect(
    await withFileLock(path, 0, async () => {
      rmdirSync(`${path}.lock`);
      writeFileSync(`${path}.lock`, "not the folder it was");
      return "done";
    }),
  ).toBe("done");
});

it("a lock that cannot be made is an error at once, not after the timeout", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  const attempt = withFileLock(join(folder, "file", "secrets.json"), 600_000, async () => "entered");
  await expect(attempt).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("not a directory (ENOTDIR)"),
  });
});

it("a limit on the size of files is an error that names it, not the end of the process", async () => {
  const path = join(temporaryFolder(), "secrets.json");
  const limited = ["-c", 'ulimit -f 4; exec "$0" "$@"', process.execPath, await bundle("refused-writer.ts"), path];
  const { stdout } = await promisify(execFile)("sh", limited);
  expect(stdout).toBe(`Secret store "${path}" cannot be used: file too large (EFBIG)\n`);
});

describe("many writers lose nothing", () => {
  it("in one opening, where they take turns and never meet the lock", async () => {
    const store = await openFileStore(join(temporaryFolder(), "secrets.json"), { lockTimeoutMs: 0 });
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => await putSecret(store, sampleSecret(`S${index}`))),
    );
    expect(await store.list()).toHaveLength(30);
    await store.close();
  });

  it("in one process, with several openings", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    const stores = await Promise.all([1, 2, 3].map(async () => await openFileStore(path, { lockTimeoutMs: 20_000 })));
    const writes = stores.flatMap((store, index) =>
      Array.from({ length: 30 }, async (_, number) => await putSecret(store, sampleSecret(`S${index}_${number}`))),
    );
    await Promise.all(writes);
    for (const store of stores) expect(await store.list()).toHaveLength(90);
    for (const store of stores) await store.close();
  });

  it("in several processes, with names of their own", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "new", "secrets.json");
    const file = await bundle("writer.ts");
    await Promise.all([1, 2, 3, 4].map(async (number) => await run(file, [path, `P${number}_`, "25"])));
    const store = await openFileStore(path);
    expect(await store.list()).toHaveLength(100);
    await store.close();
    expect(readdirSync(join(folder, "new"))).toEqual(["secrets.json"]);
  });

  it("in several processes, with one name", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    const file = await bundle("counter.ts");
    await Promise.all([1, 2, 3, 4].map(async () => await run(file, [path, "25"])));
    const store = await openFileStore(path);
    expect((await store.get(parseSecretName("COUNTER")))?.metadata.version).toBe(100);
    await store.close();
  });

  it("and what a killed process has said it stored is there", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "secrets.json");
    const file = await bundle("writer.ts");
    const acknowledged: string[] = [];
    for (const [round, lines] of [1, 7, 20].entries()) {
      acknowledged.push(...(await runAndKill(file, [path, `R${round}_`, "100000"], lines)));
    }
    const store = await openFileStore(path, { lockTimeoutMs: 20_000 });
    await putSecret(store, sampleSecret("LAST"));
    const stored = new Set((await store.list()).map((metadata) => String(metadata.name)));
    await store.close();
    expect(acknowledged.length).toBeGreaterThanOrEqual(28);
    expect(acknowledged.filter((name) => !stored.has(name))).toEqual([]);
    expect(readdirSync(folder)).toEqual(["secrets.json"]);
  });
});

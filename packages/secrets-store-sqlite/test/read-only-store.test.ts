import { chmodSync, chownSync, copyFileSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { run, temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";
import { bundle } from "./child.ts";
import { makeVersion1 } from "./version-1-database.ts";

/** A store with versions 1 and 2 of A. */
async function sampleStore() {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path);
  await putSecret(store, sampleSecret("A"));
  await putSecret(store, sampleSecret("A", { version: 2 }), sampleSecret("A").metadata);
  return { path, store };
}

/** Gives a store to the user that reader.ts becomes, with these modes. */
function handOver(path: string, folderMode: number, fileMode: number): void {
  const folder = dirname(path);
  const isRoot = process.geteuid?.() === 0;
  for (const place of [folder, ...readdirSync(folder).map((name) => join(folder, name))]) {
    if (isRoot) chownSync(place, 65_534, 65_534);
  }
  for (const name of readdirSync(folder)) chmodSync(join(folder, name), fileMode);
  chmodSync(folder, folderMode);
}

const readable = { get: 2, absent: null, list: ["A2"], history: ["A2", "A1"], still: ["A2"], backup: true };
/** What reader.ts prints. */
async function readAsOther(path: string): Promise<unknown> {
  const folder = temporaryFolder();
  chmodSync(folder, 0o777);
  return JSON.parse(await run(await bundle("reader.ts"), [path, join(folder, "copy.db")]));
}

const readOnly = expect.stringMatching(/^Secret store "PATH" cannot be used: it is read-only \(SQLITE_READONLY/);

it.each([
  ["a folder that cannot be written to", 0o500, 0o600],
  ["a folder and a file that cannot be written to", 0o500, 0o400],
  ["a file that cannot be written to", 0o700, 0o400],
])("%s can be read, and a write says why not", async (_, folderMode, fileMode) => {
  const { path, store } = await sampleStore();
  await store.close();
  handOver(path, folderMode, fileMode);
  expect(await readAsOther(path)).toEqual({ ...readable, write: readOnly });
  chmodSync(dirname(path), 0o700);
});

it("a store of version 1 can be read there, too", async () => {
  const path = join(temporaryFolder(), "secrets.db");
  makeVersion1(path, { header: "one", secrets: [sampleSecret("A"), sampleSecret("A", { version: 2 })] });
  handOver(path, 0o500, 0o400);
  expect(await readAsOther(path)).toEqual({ ...readable, write: readOnly });
  chmodSync(dirname(path), 0o700);
});

it("what a killed process has left in the WAL is read in a folder that cannot be written to", async () => {
  const { path, store } = await sampleStore();
  const folder = temporaryFolder();
  for (const name of readdirSync(dirname(path))) copyFileSync(join(dirname(path), name), join(folder, name));
  await store.close();
  const left = join(folder, "secrets.db");
  handOver(left, 0o500, 0o400);
  expect(await readAsOther(left)).toEqual({ ...readable, write: readOnly });
  chmodSync(folder, 0o700);
  rmSync(`${left}-shm`);
  chmodSync(folder, 0o500);
  expect(await readAsOther(left)).toMatch(/its last changes are in ".*secrets.db-wal"$/);
  chmodSync(folder, 0o700);
});

import { lstat, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createKeyFile, createPendingKey, findPendingKeys, sweepPendingKeys } from "../src/index.ts";

let folder: string;
let keyFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "autokestra-pending-"));
  keyFile = join(folder, "secret.key");
  await createKeyFile(keyFile);
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function names(): Promise<string[]> {
  return (await readdir(folder)).map((name) => name.replace(/[0-9a-f]{8}/, "ID")).sort();
}

it("makes a key beside the key file, private, and puts it in place, keeping the one before", async () => {
  const old = await readFile(keyFile, "utf8");
  const pending = await createPendingKey(keyFile);
  expect(await names()).toEqual(["secret.key", "secret.key.ID.new"]);
  for (const name of await readdir(folder)) expect((await lstat(join(folder, name))).mode & 0o777).toBe(0o600);
  await pending.promote();
  expect(await names()).toEqual(["secret.key", "secret.key.ID.old"]);
  expect((await readFile(keyFile, "utf8")).trim()).toBe(Buffer.from(pending.key.material).toString("hex"));
  const [kept = ""] = (await readdir(folder)).filter((name) => name.endsWith(".old"));
  expect(await readFile(join(folder, kept), "utf8")).toBe(old);
});

it("is put in place once, whoever does it, and never over a later key", async () => {
  const first = await createPendingKey(keyFile);
  const [found] = await findPendingKeys(keyFile);
  await found?.promote();
  const second = await createPendingKey(keyFile);
  await second.promote();
  await first.promote();
  expect((await readFile(keyFile, "utf8")).trim()).toBe(Buffer.from(second.key.material).toString("hex"));
  expect(await names()).toEqual(["secret.key", "secret.key.ID.old", "secret.key.ID.old"]);
});

it("finds only its own, and sweeps what was left an hour ago", async () => {
  await createPendingKey(keyFile);
  await writeFile(join(folder, "secret.key.12345678.new.bak"), "x");
  await writeFile(join(folder, "other.key.12345678.new"), "x");
  expect(await findPendingKeys(keyFile)).toHaveLength(1);
  sweepPendingKeys(keyFile, Date.now());
  expect(await findPendingKeys(keyFile)).toHaveLength(1);
  const [pending = ""] = (await readdir(folder)).filter((name) => /^secret\.key\.[0-9a-f]{8}\.new$/.test(name));
  const hourAgo = Date.now() / 1000 - 3700;
  await utimes(join(folder, pending), hourAgo, hourAgo);
  sweepPendingKeys(keyFile, Date.now());
  expect(await findPendingKeys(keyFile)).toEqual([]);
  expect(await names()).toEqual(["other.key.ID.new", "secret.key", "secret.key.ID.new.bak"]);
});

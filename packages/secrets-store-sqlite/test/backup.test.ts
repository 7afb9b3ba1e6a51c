import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { putSecret, sampleId, sampleSecret } from "@autokestra/secrets-core/testing";
import { modeOf, run, temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openSqliteStore } from "../src/index.ts";
import { bundle } from "./child.ts";

async function sampleStore() {
  const folder = temporaryFolder();
  const store = await openSqliteStore(join(folder, "secrets.db"), { busyTimeoutMs: 50 });
  await putSecret(store, sampleSecret("A"));
  await putSecret(store, sampleSecret("A", { version: 2 }), sampleSecret("A").metadata);
  await store.writeHeader("header", null);
  return { folder, store, target: join(temporaryFolder(), "copy.db") };
}

it("a backup is a whole store, private, while another process writes", async () => {
  const { folder, store, target } = await sampleStore();
  const other = openDatabase(join(folder, "secrets.db"));
  other.exec("BEGIN IMMEDIATE; DELETE FROM secret_versions");
  const umask = process.platform === "win32" ? 0 : process.umask();
  await store.backup(target);
  other.close();
  expect([modeOf(target), readdirSync(join(target, "..")), process.umask()]).toEqual(["600", ["copy.db"], umask]);
  const copy = await openSqliteStore(target);
  expect(await copy.versions(sampleId("A"))).toEqual(await store.versions(sampleId("A")));
  expect([await copy.readHeader(), (await copy.facts()).isSound]).toEqual(["header", true]);
  await copy.close();
  await store.close();
});

/** None where the folder is removed at this moment. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** What others may use at this moment, here and in the folders below. */
function looseIn(folder: string): readonly string[] {
  return namesIn(folder).flatMap((name) => {
    const place = join(folder, name);
    const stat = lstatSync(place, { throwIfNoEntry: false });
    if (stat === undefined) return [];
    const own = (stat.mode & 0o077) === 0 ? [] : [`${place} ${stat.mode.toString(8)}`];
    return stat.isDirectory() ? [...own, ...looseIn(place)] : own;
  });
}

it.each(["000", "022"])(
  "nothing of two backups of one name at once is open to others, under umask %s",
  async (umask) => {
    const { folder, store, target } = await sampleStore();
    await store.close();
    const targets = join(target, "..");
    const file = await bundle("backuper.ts");
    const loose: string[] = [];
    const watch = setInterval(() => loose.push(...looseIn(targets)), 1);
    const args = [join(folder, "secrets.db"), target, "20"];
    const outputs = await Promise.all([1, 2].map(async () => await run(file, args, umask)));
    clearInterval(watch);
    expect(loose).toEqual([]);
    const names = Array.from({ length: 20 }, (_, index) => index);
    expect(outputs.flatMap((output) => JSON.parse(output)).sort((a, b) => a - b)).toEqual(names);
    expect(readdirSync(targets).sort()).toEqual(names.map((index) => `copy.db${index}`).sort());
    for (const index of names) {
      const copy = await openSqliteStore(`${target}${index}`);
      expect([(await copy.list()).length, (await copy.facts()).isSound]).toEqual([1, true]);
      await copy.close();
    }
  },
);

import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import {
  backUpStore,
  diagnose,
  migrateStore,
  openSecrets,
  openSecretsManager,
  restoreBackup,
  type SecretsOptions,
} from "../src/index.ts";

const FILES = { sqlite: "secrets.db", file: "secrets.json" } as const;
let root: string;
let folder: string;
let options: SecretsOptions;

beforeEach(() => {
  root = temporaryFolder();
  folder = join(root, "secrets");
  options = { env: { HOME: join(root, "home") }, storagePath: folder };
});

/** Three secrets: one with three versions, one with one, one that is deleted. */
async function fill(more: Partial<SecretsOptions> = {}): Promise<void> {
  const secrets = await openSecrets({ ...options, ...more });
  for (const value of ["v1", "v2", "v3"])
    await secrets.set({ name: "A", type: "apiKey", fields: { value }, tags: [value] });
  await secrets.set({ name: "B", type: "apiKey", fields: { value: "b" }, expiresAt: "2030-01-01" });
  await secrets.set({ name: "GONE", type: "apiKey", fields: { value: "gone" } });
  await secrets.delete("GONE");
  await secrets.close();
}

/** All that a store tells of itself, values too, but for what counts its changes. */
async function everything(more: Partial<SecretsOptions> = {}): Promise<unknown> {
  const secrets = await openSecrets({ ...options, create: false, ...more });
  try {
    const all = [];
    for (const metadata of await secrets.list({ state: "all" })) {
      if (metadata.deletedAt !== null) all.push({ ...metadata, revision: 0 });
      else {
        for (const { version } of await secrets.versions(metadata.name)) {
          const secret = await secrets.get(metadata.name, { atVersion: version });
          all.push({ ...secret, metadata: { ...secret.metadata, revision: 0 } });
        }
      }
    }
    return all;
  } finally {
    await secrets.close();
  }
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

const backends = [
  ["sqlite", "file"],
  ["file", "sqlite"],
] as const;

describe.each(backends)("a store of kind %s", (from, to) => {
  it("moves into the other kind with versions, deleted secrets and header, and is kept", async () => {
    await fill({ backend: from });
    const before = await everything();
    const report = await migrateStore(options, to);
    expect(report).toMatchObject({
      from,
      to,
      secrets: 3,
      versions: 5,
      kept: expect.stringContaining(`${FILES[from]}.`),
    });
    expect(await everything()).toEqual(before);
    const names = await readdir(folder);
    expect(names).toContain(FILES[to]);
    expect(names).not.toContain(FILES[from]);
    expect(names.filter((name) => name.includes("draft"))).toEqual([]);
    for (const name of names) expect(await modeOf(join(folder, name))).toBe(0o600);
    // The kept store is whole: put back by hand, it is the store of before.
    const other = join(root, "other");
    await mkdir(other, { mode: 0o700 });
    await rename(String(report.kept), join(other, FILES[from]));
    expect(await everything({ storagePath: other })).toEqual(before);
    const secrets = await openSecrets(options);
    expect(await secrets.restore("GONE")).toMatchObject({ version: 1 });
    expect((await secrets.set({ name: "A", type: "apiKey", fields: { value: "v4" } })).version).toBe(4);
    await secrets.close();
  });

  it("moves there and back again and again", async () => {
    await fill({ backend: from });
    const before = await everything();
    for (const next of [to, from, to, from]) await migrateStore(options, next);
    expect(await everything()).toEqual(before);
  });

  it("does not move while another process can write to it", { tags: ["faults"] }, async () => {
    await fill({ backend: from });
    const other = await openSecrets(options);
    await other.get("A");
    const moved = await migrateStore(options, to).catch((error: unknown) => error);
    if (from === "sqlite") expect(moved).toMatchObject({ code: "STORE_UNAVAILABLE" });
    // Whatever came of it: what the other one writes now is not lost, or it is told so.
    const written = await other
      .set({ name: "C", type: "apiKey", fields: { value: "c" } })
      .catch((error: unknown) => error);
    await other.close();
    const names = JSON.stringify(await everything());
    if (written instanceof Error) expect(written).toMatchObject({ code: "STORE_UNAVAILABLE" });
    else expect(names).toContain('"C"');
  });

  it("is copied while it is in use, and the copy is private", async () => {
    await fill({ backend: from });
    const before = await everything();
    const open = await openSecrets(options);
    const file = join(root, "copy");
    expect(await backUpStore(options, file)).toEqual({ file, backend: from });
    await open.close();
    expect(await modeOf(file)).toBe(0o600);
    await expect(backUpStore(options, file)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const secrets = await openSecrets(options);
    await secrets.delete("A", { purge: true });
    await secrets.set({ name: "LATER", type: "apiKey", fields: { value: "later" } });
    await secrets.close();
    const report = await restoreBackup(options, file);
    expect(report).toMatchObject({ backend: from, secrets: 3, versions: 5, kept: expect.any(String) });
    expect(await everything()).toEqual(before);
    const [kept] = (await readdir(folder)).filter((name) => name.endsWith(".backup"));
    expect((await readdir(folder)).toSorted()).toEqual([".gitignore", "backend", FILES[from], kept]);
  });

  it("comes back from a backup where it is gone or damaged, or where there never was one", async () => {
    await fill({ backend: from });
    const before = await everything();
    const file = join(root, "copy");
    await backUpStore(options, file);
    const path = join(folder, FILES[from]);
    for (const damage of [() => rm(path), () => writeFile(path, "nonsense"), () => writeFile(path, "")]) {
      await damage();
      await expect(everything()).rejects.toMatchObject({ code: "STORE_CORRUPT" });
      await restoreBackup(options, file);
      expect(await everything()).toEqual(before);
    }
    const anew = { storagePath: join(root, "anew") };
    expect(await restoreBackup({ ...options, ...anew }, file)).toMatchObject({ kept: null });
    expect(await everything(anew)).toEqual(before);
  });

  it("can be restored over a store of the other kind, which keeps its kind", async () => {
    await fill({ backend: from });
    const before = await everything();
    const file = join(root, "copy");
    await backUpStore(options, file);
    await migrateStore(options, to);
    await restoreBackup(options, file);
    expect(await everything()).toEqual(before);
    expect(await readdir(folder)).toContain(FILES[to]);
    expect(await readdir(folder)).not.toContain(FILES[from]);
  });

  it("is not replaced where the header of the backup is missing, and the file is not taken over as it is", async () => {
    await fill({ backend: from });
    const before = await everything();
    const file = join(root, "copy");
    await backUpStore(options, file);
    if (from === "sqlite") {
      const database = openDatabase(file);
      database.exec(
        "CREATE TRIGGER spy BEFORE INSERT ON secret_versions BEGIN SELECT RAISE(IGNORE); END; CREATE TABLE keep (a)",
      );
      database.close();
      await restoreBackup(options, file);
      expect(await everything()).toEqual(before);
      const restored = openDatabase(join(folder, "secrets.db"));
      expect(restored.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' OR name = 'keep'").all()).toEqual(
        [],
      );
      restored.close();
      const beheaded = openDatabase(file);
      beheaded.exec("DELETE FROM store_header");
      beheaded.close();
    } else await writeFile(file, (await readFile(file, "utf8")).replace(/"header": ".*",/, '"header": null,'));
    await expect(restoreBackup(options, file)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    expect(await everything()).toEqual(before);
  });

  it("is not backed up over what belongs to the installation", async () => {
    await fill({ backend: from });
    for (const name of ["secrets.db", "secrets.db-journal", "secrets.json", "backend", "x"]) {
      await expect(backUpStore(options, join(folder, name))).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
    const keyFile = join(root, "home", ".autokestra", "secret.key");
    await expect(backUpStore(options, keyFile)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it("does not come back as it once was where a migration was killed and the store is lost later", async () => {
    await fill({ backend: from });
    await writeFile(join(folder, "backend"), `${from} to ${to}\nkept.backup\n`);
    await writeFile(join(folder, FILES[to]), "what a killed migration has left", { mode: 0o600 });
    await rm(join(folder, FILES[from]));
    await expect(everything()).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });

  it("is not replaced by a backup that does not open whole", async () => {
    await fill({ backend: from });
    const before = await everything();
    const file = join(root, "copy");
    await backUpStore(options, file);
    const keyFile = join(root, "other.key");
    await writeFile(keyFile, `${"ab".repeat(31)}cd\n`, { mode: 0o600 });
    await expect(restoreBackup({ ...options, keyFile }, file)).rejects.toMatchObject({ code: "KEY_WRONG" });
    await writeFile(file, "nonsense");
    await expect(restoreBackup(options, file)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    await expect(restoreBackup(options, join(root, "none"))).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(await everything()).toEqual(before);
    expect((await readdir(folder)).filter((name) => /draft|backup/.test(name))).toEqual([]);
  });
});

describe("a folder of secrets", () => {
  it("keeps git out and remembers its backend", async () => {
    await fill({ backend: "file" });
    expect(await readFile(join(folder, ".gitignore"), "utf8")).toBe("*\n");
    expect(await readFile(join(folder, "backend"), "utf8")).toBe("file\n");
    expect(await modeOf(folder)).toBe(0o700);
    await rm(join(folder, "secrets.json"));
    const attempt = openSecrets(options);
    await expect(attempt).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    await expect(attempt).rejects.toThrow(/were not found: there is no secrets\.json/);
    expect(await readdir(folder)).not.toContain("secrets.db");
  });

  it("names what it does not know in its own record", async () => {
    await fill();
    await chmod(join(folder, "backend"), 0o600);
    await writeFile(join(folder, "backend"), "oracle\n");
    await expect(openSecrets(options)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  /** What a migration that is killed at each of its steps leaves. */
  it.each<[string, () => Promise<void>, string]>([
    ["the new store is in place", async () => undefined, "sqlite"],
    [
      "the record names both",
      async () => await writeFile(join(folder, "backend"), "sqlite to file\nsecrets.db.backup\n"),
      "sqlite",
    ],
    [
      "the old store is moved away",
      async () => {
        await writeFile(join(folder, "backend"), "sqlite to file\nsecrets.db.backup\n");
        await rename(join(folder, "secrets.db"), join(folder, "secrets.db.backup"));
      },
      "file",
    ],
  ])("has one store that counts where a migration was killed once %s", async (_, kill, counting) => {
    await fill();
    const before = await everything();
    const file = join(root, "backup");
    await backUpStore(options, file);
    const other = { storagePath: join(root, "other") };
    await restoreBackup({ ...options, ...other }, file);
    await migrateStore({ ...options, ...other }, "file");
    await writeFile(join(folder, "secrets.json"), await readFile(join(root, "other", "secrets.json")), { mode: 0o600 });
    await kill();
    expect(await everything()).toEqual(before);
    const manager = await openSecretsManager(options);
    expect(manager.store.driver).toBe(counting);
    const leftOver = (await diagnose(manager)).filter(({ status }) => status !== "ok").map(({ message }) => message);
    expect(leftOver).toEqual([
      ...(counting === "sqlite" ? [`${join(folder, "secrets.json")} is not in use: it was left by a migration`] : []),
      // From the backup, above.
      expect.stringContaining("is a copy of this store, with the same id and keys"),
    ]);
    await manager.secrets.close();
    await migrateStore(options, counting === "sqlite" ? "file" : "sqlite");
    expect(await everything()).toEqual(before);
  });

  it("refuses to move or copy what is not there", async () => {
    await expect(migrateStore(options, "file")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect(backUpStore(options, join(root, "copy"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect(migrateStore(options, "postgres")).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await fill();
    expect(await migrateStore(options, "sqlite")).toMatchObject({ kept: null, secrets: 0 });
  });
});

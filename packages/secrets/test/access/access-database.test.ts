import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadSqlite } from "@autokestra/sqlite";
import { modeOf, temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { openAccessDatabase } from "../../src/access/access-database.ts";

let folder: string;
beforeEach(() => {
  folder = join(temporaryFolder(), "secrets");
});

const count = async (access: Awaited<ReturnType<typeof openAccessDatabase>>) =>
  await access.read((database) => Number(database.prepare("SELECT count(*) FROM tokens").pluck().get()));

const addToken = async (access: Awaited<ReturnType<typeof openAccessDatabase>>, id = "a") =>
  await access.write((database) => {
    database
      .prepare("INSERT INTO tokens (id, name, role, hash, created_at, epoch, mac) VALUES (?, 'n', 'r', ?, 't', 1, 'm')")
      .run(id, Buffer.from(id));
  });

describe("the database of tokens and audit records", () => {
  it("is made by the first write, for its owner alone, with all that is committed on the disk", async () => {
    const access = await openAccessDatabase(folder);
    expect(await count(access)).toBe(0);
    expect(existsSync(folder)).toBe(false);
    await addToken(access);
    expect(await count(access)).toBe(1);
    expect(await access.read((database) => [database.pragma("journal_mode"), database.pragma("synchronous")])).toEqual([
      "wal",
      2,
    ]);
    for (const name of readdirSync(folder)) expect(modeOf(join(folder, name))).toBe("600");
    expect(modeOf(folder)).toBe("700");
    expect(readdirSync(folder)).toContain(".gitignore");
    access.close();
    access.close();
    expect(readdirSync(folder).sort()).toEqual([".gitignore", "access.db"]);
  });

  it("is one for all that have it open, and closed to others again", async () => {
    const one = await openAccessDatabase(folder);
    const other = await openAccessDatabase(folder);
    expect(await count(other)).toBe(0);
    await addToken(one);
    expect(await count(other)).toBe(1);
    chmodSync(join(folder, "access.db"), 0o644);
    const third = await openAccessDatabase(folder);
    await addToken(third, "b");
    expect(await count(one)).toBe(2);
    expect(modeOf(join(folder, "access.db"))).toBe("600");
    for (const access of [one, other, third]) access.close();
  });

  it("is not written once its file was removed, and read anew where another takes its place", async () => {
    const access = await openAccessDatabase(folder);
    await addToken(access);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    await expect(addToken(access, "b")).rejects.toMatchObject({
      code: "ACCESS_UNAVAILABLE",
      message: /moved or removed/,
    });
    expect(await count(access)).toBe(0);
    access.close();
    await expect(count(access)).rejects.toThrow("it is closed");
    await expect(addToken(access)).rejects.toThrow("it is closed");
  });

  it("undoes what fails", async () => {
    const access = await openAccessDatabase(folder);
    await addToken(access);
    await expect(addToken(access)).rejects.toMatchObject({ code: "ACCESS_UNAVAILABLE" });
    const work = access.write((database) => {
      database.exec("DELETE FROM tokens");
      for (const name of readdirSync(folder)) renameSync(join(folder, name), join(folder, `${name}.moved`));
    });
    await expect(work).rejects.toThrow("moved or removed");
    access.close();
  });

  it.each<[string, string, (path: string) => Promise<void>]>([
    ["of another program", "another program", async (path) => await makeDatabase(path, "CREATE TABLE t (x)")],
    [
      "of a later version",
      "a newer version",
      async (path) => await makeDatabase(path, "PRAGMA application_id = 1634427235; PRAGMA user_version = 2"),
    ],
    ["that is none", "not a database", async (path) => writeFileSync(path, "x".repeat(2000), { mode: 0o600 })],
    ["that is a link", "symbolic link", async (path) => symlinkSync("/etc/hosts", path)],
    ["of which only the WAL is left", "only its WAL", async (path) => writeFileSync(`${path}-wal`, "x")],
  ])("refuses one %s, to read and to write", async (_, reason, make) => {
    mkdirSync(folder, { mode: 0o700 });
    await make(join(folder, "access.db"));
    const access = await openAccessDatabase(folder);
    await expect(count(access)).rejects.toMatchObject({
      code: "ACCESS_UNAVAILABLE",
      message: expect.stringContaining(reason),
    });
    await expect(addToken(access)).rejects.toMatchObject({
      code: "ACCESS_UNAVAILABLE",
      message: expect.stringContaining(reason),
    });
    access.close();
  });

  it("is not made in a folder that others use", async () => {
    mkdirSync(folder, { mode: 0o700 });
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, "other"), "");
    const access = await openAccessDatabase(folder);
    await expect(addToken(access)).rejects.toMatchObject({ code: "ACCESS_UNAVAILABLE" });
    expect(readdirSync(folder)).toEqual(["other"]);
    access.close();
  });
});

async function makeDatabase(path: string, sql: string): Promise<void> {
  const database = (await loadSqlite()).open(path, { mode: "rwc" });
  database.exec(sql);
  database.close();
  chmodSync(path, "600");
}

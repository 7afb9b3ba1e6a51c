import { existsSync, linkSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createPrivateFile } from "@autokestra/private-files";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";

it.each(["", "-wal", "-shm"])(
  "a symbolic link in the place of secrets.db%s is refused and not followed",
  async (suffix) => {
    const folder = temporaryFolder();
    symlinkSync(join(folder, "elsewhere"), join(folder, `secrets.db${suffix}`));
    await expect(openSqliteStore(join(folder, "secrets.db"))).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("is a symbolic link"),
    });
    expect(existsSync(join(folder, "elsewhere"))).toBe(false);
  },
);

it("a folder in the place of the database is refused", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "secrets.db"));
  await expect(openSqliteStore(join(folder, "secrets.db"))).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("not a regular file"),
  });
});

it("an empty file is not the beginning of an empty store", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "secrets.db"), "");
  await expect(openSqliteStore(join(folder, "secrets.db"))).rejects.toMatchObject({
    code: "STORE_CORRUPT",
    message: expect.stringMatching(/: it is empty$/),
  });
});

it("a WAL without its database is not the beginning of an empty store", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "secrets.db-wal"), "committed, perhaps");
  await expect(openSqliteStore(join(folder, "secrets.db"))).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  expect(readdirSync(folder)).toEqual(["secrets.db-wal"]);
});

it.each([
  ["before the draft got its name", (_: string, draft: string) => writeFileSync(draft, "half")],
  ["after it", (path: string, draft: string) => linkSync(path, draft)],
])("the draft of a process that was killed %s is swept", async (_, leave) => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.db");
  await (await openSqliteStore(path)).close();
  leave(path, `${path}.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`);
  await (await openSqliteStore(path)).close();
  expect(readdirSync(folder)).toEqual(["secrets.db"]);
});

it.each([
  ["removed", (path: string) => rmSync(path)],
  [
    "replaced",
    (path: string) => {
      rmSync(path);
      createPrivateFile(path, "other");
    },
  ],
])("nothing is written into a database that was %s while it was open", async (_, change) => {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path);
  await putSecret(store, sampleSecret("A"));
  change(path);
  await expect(putSecret(store, sampleSecret("B"))).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("moved or removed"),
  });
  await store.close();
});

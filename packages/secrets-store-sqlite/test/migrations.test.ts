import { createHash } from "node:crypto";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";
import { createSchema, MIGRATIONS, migrate } from "../src/migrations.ts";
import { bundle, run } from "./child.ts";
import { contentOf, temporaryFolder } from "./temporary-folder.ts";

const hash = (folder: string) => createHash("sha256").update(contentOf(folder)).digest("hex");

it("a newer schema is refused, and the file is as it was", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.db");
  await (await openSqliteStore(path)).close();
  const database = new Database(path);
  database.pragma("user_version = 999");
  database.close();
  const before = hash(folder);
  await expect(openSqliteStore(path)).rejects.toMatchObject({
    code: "STORE_TOO_NEW",
    message: expect.stringContaining("schema 999"),
  });
  expect(hash(folder)).toBe(before);
});

it("the database of another program is refused, and the file is as it was", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.db");
  const database = new Database(path);
  database.exec("CREATE TABLE bookmarks (url TEXT)");
  database.close();
  const before = hash(folder);
  await expect(openSqliteStore(path)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  expect(hash(folder)).toBe(before);
});

it("a migration runs once, however many connections find it due", () => {
  const path = join(temporaryFolder(), "secrets.db");
  const next = [...MIGRATIONS, "CREATE TABLE second (a TEXT)", "CREATE TABLE third (a TEXT)"];
  const connections = Array.from({ length: 20 }, () => new Database(path, { timeout: 0 }));
  for (const [index, database] of connections.entries()) {
    if (index === 0) createSchema(database);
    migrate(database, path, next);
    expect(database.pragma("user_version", { simple: true })).toBe(next.length);
  }
  for (const database of connections) database.close();
});

it("a migration that fails leaves the schema it began with", () => {
  const database = new Database(":memory:");
  createSchema(database);
  const next = [...MIGRATIONS, "CREATE TABLE second (a TEXT); CREATE TABLE header (a TEXT)"];
  expect(() => migrate(database, "secrets.db", next)).toThrow();
  expect(database.pragma("user_version", { simple: true })).toBe(MIGRATIONS.length);
  expect(database.prepare("SELECT name FROM sqlite_schema WHERE name = 'second'").get()).toBe(undefined);
});

it("twenty processes that start at once make one store, and lose nothing", async () => {
  const path = join(temporaryFolder(), "secrets", "secrets.db");
  const file = await bundle("writer.ts");
  await Promise.all(Array.from({ length: 20 }, async (_, index) => await run(file, [path, `P${index}_`, "5"])));
  const store = await openSqliteStore(path);
  expect(await store.list()).toHaveLength(100);
  await store.close();
});

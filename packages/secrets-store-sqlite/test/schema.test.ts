import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import { run, temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openSqliteStore } from "../src/index.ts";
import { bundle } from "./child.ts";
import { contentOf } from "./folder-content.ts";

const hash = (path: string) =>
  createHash("sha256")
    .update(path.endsWith(".db") ? readFileSync(path) : contentOf(path))
    .digest("hex");

it.each([
  [3, "STORE_TOO_NEW", "has schema 3"],
  [999, "STORE_TOO_NEW", "has schema 999"],
  [0, "STORE_CORRUPT", "it is not laid out as it should be"],
  [-1, "STORE_CORRUPT", "it is not laid out as it should be"],
])("schema %i is refused, and the file is as it was", async (version, code, message) => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.db");
  await (await openSqliteStore(path)).close();
  const database = openDatabase(path);
  database.pragma(`user_version = ${version}`);
  database.close();
  const before = hash(folder);
  await expect(openSqliteStore(path)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  expect(hash(folder)).toBe(before);
});

it("the database of another program is refused, and the file is as it was", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.db");
  const database = openDatabase(path);
  database.exec("CREATE TABLE bookmarks (url TEXT)");
  database.close();
  const before = hash(folder);
  await expect(openSqliteStore(path)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  expect(hash(folder)).toBe(before);
});

it("a new store is made in today's layout", async () => {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path);
  expect(await store.layout()).toBe(2);
  await store.close();
  const database = openDatabase(path);
  expect(database.pragma("user_version")).toBe(2);
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all();
  expect(tables).toEqual(["anchors", "secret_versions", "store_header"]);
  database.close();
});

it("an older store of the layout is read as it is, and gets the index of imported ids with its first write", async () => {
  const path = join(temporaryFolder(), "secrets.db");
  const made = await openSqliteStore(path);
  await made.bulkInsert([[sampleSecret("A", { importedId: 7 })], [sampleSecret("B", { importedId: 8 })]]);
  await made.close();
  const before = openDatabase(path);
  before.exec("DROP INDEX current_by_imported_id");
  before.close();
  const bytes = hash(path);
  const [store, other] = [await openSqliteStore(path), await openSqliteStore(path)];
  const look = async (one: typeof store) =>
    [await one.list({ importedId: 7 }), await one.count({ importedId: 8 })] as const;
  for (const one of [store, other]) expect(await look(one)).toMatchObject([[{ name: "A" }], 1]);
  expect(hash(path)).toBe(bytes);
  await store.writeHeader("one", null);
  for (const one of [store, other]) expect(await look(one)).toMatchObject([[{ name: "A" }], 1]);
  await store.close();
  await other.close();
  const database = openDatabase(path);
  const find = database.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'current_by_imported_id'").pluck();
  expect(find.get()).toBe(1);
  database.close();
});

it.each([
  ["two current versions of a secret", "UPDATE secret_versions SET is_current = 1, revision = 9"],
  [
    "two secrets of a name",
    "INSERT INTO secret_versions SELECT '', name, 1, NULL, 1, 1, 'other', type, NULL, tags, created_at, updated_at, NULL, NULL, NULL, NULL, format, key_id, nonce, tag, ciphertext FROM secret_versions WHERE is_current",
  ],
  ["a mac of an older version", "UPDATE secret_versions SET mac = 'x' WHERE is_current = 0"],
  ["a current version without a revision", "UPDATE secret_versions SET revision = NULL WHERE is_current = 1"],
])("the schema itself refuses %s", async (_, sql) => {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path);
  await store.bulkInsert([[sampleSecret("A"), sampleSecret("A", { version: 2 })]]);
  await store.close();
  const database = openDatabase(path);
  expect(() => database.exec(sql)).toThrow(/constraint failed/);
  database.close();
});

/** As many as `npm run faults` starts. */
const PROCESSES = process.env["LONG_TESTS"] === "true" ? 20 : 8;

it("many processes that start at once make one store, and lose nothing", { tags: ["faults"] }, async () => {
  const path = join(temporaryFolder(), "secrets", "secrets.db");
  const file = await bundle("writer.ts");
  await Promise.all(Array.from({ length: PROCESSES }, async (_, index) => await run(file, [path, `P${index}_`, "5"])));
  const store = await openSqliteStore(path);
  expect(await store.list()).toHaveLength(5 * PROCESSES);
  await store.close();
});

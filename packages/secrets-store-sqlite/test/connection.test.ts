import { copyFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import type { SqliteLibrary } from "@autokestra/sqlite";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { library } from "../../sqlite/test/open-database.ts";
import { openConnection } from "../src/connection.ts";
import { openSqliteStore } from "../src/index.ts";
import { runWithoutSqlite } from "./child.ts";

const PAGE = 4096;

/** A closed database with secrets S0 to S199. */
async function sampleDatabase(): Promise<string> {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path);
  for (let index = 0; index < 200; index++) await putSecret(store, sampleSecret(`S${index}`));
  await store.close();
  return path;
}

it("touches nothing where SQLite is missing", async () => {
  const folder = join(temporaryFolder(), "secrets");
  expect(JSON.parse(await runWithoutSqlite("sqlite-missing.ts", folder))).toEqual({
    missing: true,
    message: expect.stringMatching(/^SQLite cannot be used: /),
    touched: false,
  });
});

it.each([
  ["journal_mode", "wal"],
  ["synchronous", 2],
  ["secure_delete", 1],
  ["foreign_keys", 1],
  ["trusted_schema", 0],
  ["cell_size_check", 1],
  ["busy_timeout", 0],
])("PRAGMA %s is %s on every connection", (pragma, value) => {
  const path = join(temporaryFolder(), "secrets.db");
  for (let opening = 1; opening <= 2; opening++) {
    const { database } = openConnection(library, path, true);
    expect(database.pragma(pragma)).toBe(value);
    database.close();
  }
});

it.each(["before", "after"])(
  "a file that is swapped %s SQLite opens it is neither read nor written",
  async (moment) => {
    const path = await sampleDatabase();
    const other = await sampleDatabase();
    const before = readFileSync(other);
    const swapping: SqliteLibrary = {
      ...library,
      open(name, options) {
        if (moment === "before") renameSync(other, path);
        const database = library.open(name, options);
        if (moment === "after") renameSync(other, path);
        return database;
      },
    };
    expect(() => openConnection(swapping, path, true)).toThrow(/moved or removed/);
    expect(readFileSync(path).equals(before)).toBe(true);
  },
);

it.each([
  ["an empty file", (path: string) => truncateSync(path, 0)],
  ["a text", (path: string) => writeFileSync(path, "GITHUB_TOKEN=abc\n".repeat(500))],
  ["random bytes", (path: string) => writeFileSync(path, Buffer.alloc(5000, 0xa7))],
  ["one byte", (path: string) => truncateSync(path, 1)],
  ["half a header", (path: string) => truncateSync(path, 50)],
  ["half a page", (path: string) => truncateSync(path, PAGE / 2)],
  ["one page", (path: string) => truncateSync(path, PAGE)],
  ["all but the last page", (path: string) => truncateSync(path, readFileSync(path).length - PAGE)],
])("%s in the place of the database is STORE_CORRUPT", async (_, damage) => {
  const path = await sampleDatabase();
  damage(path);
  const damaged = readFileSync(path);
  await expect(openSqliteStore(path)).rejects.toMatchObject({
    code: "STORE_CORRUPT",
    message: expect.stringContaining(path),
  });
  expect(readFileSync(path).equals(damaged)).toBe(true);
});

it("a zeroed page gives errors and right answers, never a wrong value and never 'absent'", {
  tags: ["faults"],
}, async () => {
  const path = await sampleDatabase();
  const pages = readFileSync(path).length / PAGE;
  let errors = 0;
  for (let page = 0; page < pages; page++) {
    const copy = join(temporaryFolder(), "secrets.db");
    copyFileSync(path, copy);
    const bytes = readFileSync(copy);
    writeFileSync(copy, bytes.fill(0, page * PAGE, (page + 1) * PAGE));
    for (let index = 0; index < 200; index += 20) {
      const answer = await read(copy, `S${index}`);
      if (answer === "STORE_CORRUPT") errors += 1;
      else expect(answer).toEqual(sampleSecret(`S${index}`));
    }
  }
  expect(errors).toBeGreaterThan(pages);
});

async function read(path: string, name: string): Promise<unknown> {
  try {
    const store = await openSqliteStore(path);
    try {
      return await store.get(parseSecretName(name));
    } finally {
      await store.close();
    }
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
}

import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { makeKey, makeToken } from "../../../secrets-crypto/test/fernet/make-token.ts";
import { openDatabase } from "../../../sqlite/test/open-database.ts";
import { type ImportEntry, importedApiKey } from "../../src/import/entries.ts";
import { readFernetDatabase } from "../../src/import/fernet-database.ts";
import { type ImportPlan, planImport } from "../../src/import/import-secrets.ts";
import { openSecrets } from "../../src/index.ts";

const TABLE = `CREATE TABLE secrets (id INTEGER PRIMARY KEY, name VARCHAR(255) UNIQUE, description TEXT,
  encrypted_value TEXT, created_at DATETIME, updated_at DATETIME)`;
const INSERT = "INSERT INTO secrets VALUES (?, ?, ?, ?, ?, ?)";
const KEY = makeKey();
const CREATED = "2024-01-31 12:00:00";
const UPDATED = "2025-02-28 12:00:00.654321";

let folder: string;
let database: string;
let keyFile: string;

beforeEach(async () => {
  folder = temporaryFolder();
  database = join(folder, "old.db");
  keyFile = join(folder, "old.key");
  await writeFile(keyFile, KEY);
});

/** Runs SQL on the old store, with the file as it is left by the program that it belongs to. */
function fill(sql: string, rows: readonly (readonly unknown[])[] = []): void {
  const file = openDatabase(database);
  try {
    file.exec(sql);
    for (const row of rows) file.prepare(INSERT).run(...row);
  } finally {
    file.close();
  }
}

async function read(): Promise<ImportEntry[]> {
  return await readFernetDatabase({ database, keyFile });
}

function seal(value: string | Uint8Array, key = KEY): string {
  return makeToken(key, Buffer.from(value));
}

describe("readFernetDatabase", () => {
  it("gives each row with its name, description and times, in the order of the ids, and leaves the file as it was", async () => {
    fill(TABLE, [
      [2, "B", null, seal("b\n\u0000é\ufeff"), CREATED, null],
      [1, "my key!", " two\r\nlines\u2028\u200d ", Buffer.from(seal("a")), 1700000000, UPDATED],
      [3, "C", "", seal("c"), CREATED, CREATED],
    ]);
    const before = await readFile(database);
    expect(await read()).toEqual([
      {
        ...importedApiKey("my key!", "a"),
        description: "two lines",
        updatedAt: "2025-02-28T12:00:00.654Z",
        importedId: 1,
      },
      { ...importedApiKey("B", "b\n\u0000é\ufeff"), createdAt: "2024-01-31T12:00:00.000Z", importedId: 2 },
      {
        ...importedApiKey("C", "c"),
        createdAt: "2024-01-31T12:00:00.000Z",
        updatedAt: "2024-01-31T12:00:00.000Z",
        importedId: 3,
      },
    ]);
    expect((await readFile(database)).equals(before)).toBe(true);
    expect(await readdir(folder)).toEqual(["old.db", "old.key"]);
  });

  it("reads what the running program has written last, in WAL mode", async () => {
    const running = openDatabase(database);
    try {
      running.pragma("journal_mode = WAL");
      running.exec(TABLE);
      running.prepare(INSERT).run(1, "A", null, seal("a"), null, null);
      expect(await read()).toEqual([{ ...importedApiKey("A", "a"), importedId: 1 }]);
    } finally {
      running.close();
    }
  });

  it("reads a database in UTF-16", async () => {
    fill(`PRAGMA encoding = 'UTF-16le'; ${TABLE}`, [[1, "A", "dé", seal("a"), CREATED, null]]);
    expect(await read()).toMatchObject([{ name: "A", description: "dé", fields: { value: "a" } }]);
  });

  it("opens with whichever key of the file fits", async () => {
    const other = makeKey();
    await writeFile(keyFile, `\ufeff${KEY}\r\n\r\n  ${other}\n`);
    fill(TABLE, [
      [1, "A", null, seal("a"), null, null],
      [2, "B", null, seal("b", other), null, null],
    ]);
    expect(await read()).toEqual([
      { ...importedApiKey("A", "a"), importedId: 1 },
      { ...importedApiKey("B", "b"), importedId: 2 },
    ]);
  });

  it("names every row that cannot be read, and no value", async () => {
    const invalidUtf8 = Buffer.from("a\xff", "latin1");
    fill(TABLE, [
      [1, "GOOD", null, seal("v"), null, null],
      [2, "OTHER_KEY", null, seal("v", makeKey()), null, null],
      [3, "CUT", null, seal("v").slice(0, -8), null, null],
      [4, "NULL", null, null, null, null],
      [5, "BINARY", null, seal(invalidUtf8), null, null],
      [6, null, null, seal("v"), null, null],
      [7, invalidUtf8, null, seal("v"), null, null],
      [8, "LONG", "x".repeat(1001), seal("v"), null, null],
    ]);
    const unopened = "The Fernet token cannot be opened";
    expect(await read()).toEqual([
      { ...importedApiKey("GOOD", "v"), importedId: 1 },
      { name: "OTHER_KEY", reason: unopened },
      { name: "CUT", reason: unopened },
      { name: "NULL", reason: unopened },
      { name: "BINARY", reason: "The value is not UTF-8 text" },
      { name: "row 6", reason: "It has no name, or a text that is not UTF-8" },
      { name: "a\ufffd", reason: "It has no name, or a text that is not UTF-8" },
      { name: "LONG", reason: "The description must have at most 1000 characters" },
    ]);
  });

  it.each([
    ["no table", "CREATE TABLE other (id)", "has no table `secrets`"],
    ["a view", `${TABLE.replace("secrets", "t")}; CREATE VIEW secrets AS SELECT * FROM t`, "has no table `secrets`"],
    [
      "a virtual table",
      "CREATE VIRTUAL TABLE secrets USING fts5(id, name, description, encrypted_value, created_at, updated_at)",
      "has no table `secrets`",
    ],
    [
      "columns missing",
      "CREATE TABLE secrets (id INTEGER PRIMARY KEY, name, value)",
      "has a table `secrets` without description, encrypted_value, created_at, updated_at",
    ],
    [
      "a column that is computed",
      TABLE.replace("encrypted_value TEXT", "encrypted_value AS (hex(zeroblob(500000000)))"),
      "has a table `secrets` without encrypted_value",
    ],
    [
      "more than 16 MiB",
      `${TABLE}; INSERT INTO secrets(encrypted_value) VALUES (zeroblob(17000000))`,
      "is larger than 16 MiB",
    ],
  ])("refuses a database with %s", async (_what, sql, message) => {
    fill(sql);
    await expect(read()).rejects.toMatchObject({
      code: "VALUE_INVALID",
      message: `The database "${database}" ${message}: nothing can be imported from it`,
    });
  });

  it("refuses a damaged table rather than to leave out rows", async () => {
    fill(
      TABLE,
      Array.from({ length: 200 }, (_, index) => [index, `S${index}`, null, seal("v"), null, null]),
    );
    const bytes = await readFile(database);
    const pages = bytes.length / 4096;
    for (let page = 2; page < pages; page += 3) bytes.fill(0, page * 4096, page * 4096 + 8);
    await writeFile(database, bytes);
    await expect(read()).rejects.toMatchObject({
      code: "VALUE_INVALID",
      message: `The database "${database}" is damaged: nothing can be imported from it`,
    });
  });

  it("refuses what is no database", async () => {
    await writeFile(
      database,
      "a text that is longer than the header of a database would be, and says nothing of the kind ok",
    );
    await expect(read()).rejects.toMatchObject({
      code: "SOURCE_FAILED",
      message: `SQLite cannot read "${database}" (SQLITE_NOTADB)`,
    });
    await writeFile(database, "");
    await expect(read()).rejects.toMatchObject({ code: "VALUE_INVALID" });
  });

  it("makes nothing where there is no file, and reads no folder", async () => {
    await expect(read()).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: `The file "${database}" cannot be read (ENOENT)`,
    });
    expect(await readdir(folder)).toEqual(["old.key"]);
    await mkdir(database);
    await expect(read()).rejects.toMatchObject({ code: "OPTION_INVALID", message: `"${database}" is not a file` });
  });

  it.each([
    ["nothing", "\n", "There is no Fernet key: give at least one"],
    ["no key", `${KEY}\ncanary-3f0b`, "Fernet key 2 is not 32 bytes in url-safe base64"],
  ])("refuses a key file that holds %s", async (_what, content, message) => {
    fill(TABLE);
    await writeFile(keyFile, content);
    await expect(read()).rejects.toMatchObject({ code: "KEY_INVALID", message });
  });
});

describe("an import of a Fernet store", () => {
  it("changes nothing when it runs again, renamed names too", async () => {
    fill(TABLE, [
      [1, "my key!", "first", seal("a"), CREATED, UPDATED],
      [2, "my key?", null, seal("b"), CREATED, UPDATED],
      [3, "C", null, seal("c"), CREATED, UPDATED],
    ]);
    const secrets = await openSecrets({ env: { HOME: folder }, storagePath: join(folder, "secrets") });
    const plan = async (): Promise<ImportPlan> =>
      await planImport(await read(), new Map((await secrets.list()).map((metadata) => [metadata.name, metadata])), {
        onConflict: "fail",
        rename: true,
        skipEmpty: false,
        isStored: async ({ name, fields }) => isDeepStrictEqual((await secrets.get(name)).fields, fields),
      });
    try {
      const first = await plan();
      expect(first.writes.map(({ name }) => name)).toEqual(["my_key", "my_key_2", "C"]);
      for (const secret of first.writes) await secrets.set(secret);
      const second = await plan();
      expect(second).toMatchObject({ writes: [], skipped: ["my_key", "my_key_2", "C"], failed: [] });
      expect(await secrets.get("my_key")).toMatchObject({ metadata: { description: "first" }, fields: { value: "a" } });
    } finally {
      await secrets.close();
    }
  });
});

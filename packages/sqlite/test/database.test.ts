import { readdirSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "@autokestra/secrets-core/internal";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { emptyDatabase, openCopyInMemory } from "../src/index.ts";
import { resultCodeName } from "../src/result-codes.ts";
import { library, openDatabase } from "./open-database.ts";

// What both libraries must do alike: these tests run on whichever this process has.

/** A database in memory with a table of pairs. */
function pairs() {
  const database = library.openInMemory();
  database.exec("CREATE TABLE pairs (key TEXT PRIMARY KEY, value ANY) STRICT");
  const add = database.prepare<[string, unknown]>("INSERT INTO pairs VALUES (?, ?)");
  const keys = () => database.prepare<[], string>("SELECT key FROM pairs ORDER BY key").pluck().all();
  return { database, add, keys };
}

/** The code of what `work` throws. */
function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return errorCode(error);
  }
  return "nothing was thrown";
}

it("rows are objects, arrays or their first column", () => {
  const { database, add } = pairs();
  expect(add.run("a", 1)).toMatchObject({ changes: 1 });
  add.run("b", null);
  const sql = "SELECT key, value FROM pairs ORDER BY key";
  const object = database.prepare(sql);
  expect(object.get()).toStrictEqual({ key: "a", value: 1 });
  expect([...object.iterate()]).toStrictEqual([
    { key: "a", value: 1 },
    { key: "b", value: null },
  ]);
  expect(database.prepare(sql).raw().all()).toStrictEqual([
    ["a", 1],
    ["b", null],
  ]);
  expect(database.prepare(sql).pluck().all()).toStrictEqual(["a", "b"]);
  expect(database.prepare("SELECT 1 WHERE FALSE").pluck().get()).toBeUndefined();
  database.close();
});

it("an iteration can be left early, and the statement used again", () => {
  const { database, add } = pairs();
  for (const key of ["a", "b", "c"]) add.run(key, 1);
  const statement = database.prepare<[], string>("SELECT key FROM pairs ORDER BY key").pluck();
  for (const key of statement.iterate()) {
    if (key === "b") break;
  }
  expect(statement.all()).toEqual(["a", "b", "c"]);
  database.exec("DELETE FROM pairs");
  database.close();
});

it("parameters are values, an array or named; undefined is NULL, and surplus names are ignored", () => {
  const { database } = pairs();
  const get = (sql: string, ...values: unknown[]) =>
    database
      .prepare(sql)
      .raw()
      .get(...values);
  const bytes = new Uint8Array([1, 2]);
  expect(get("SELECT ?, ?", "a", undefined)).toEqual(["a", null]);
  expect(get("SELECT ?, ?", ["a", undefined])).toEqual(["a", null]);
  expect(get("SELECT @a, @b", { a: 1, b: undefined, c: undefined, d: "surplus" })).toEqual([1, null]);
  expect(get("SELECT hex(?)", bytes)).toEqual(["0102"]);
  expect(get("SELECT hex(@bytes)", { bytes })).toEqual(["0102"]);
  database.close();
});

it("a number that is not exact comes as the nearest one", () => {
  const { database } = pairs();
  const sql = "SELECT 9223372036854775807 AS big, 'text' AS text";
  const expected = { big: 2 ** 63, text: "text" };
  const statement = database.prepare(sql);
  expect([statement.get(), statement.get(), ...statement.all(), ...statement.iterate()]).toEqual(
    Array.from({ length: 4 }, () => expected),
  );
  expect(database.prepare(sql).raw().all()).toEqual([[2 ** 63, "text"]]);
  expect(database.prepare(sql).pluck().get()).toBe(2 ** 63);
  database.close();
});

it("a pragma is its one value", () => {
  const { database } = pairs();
  expect(database.pragma("user_version = 7")).toBeUndefined();
  expect(database.pragma("user_version")).toBe(7);
  expect(database.pragma("integrity_check(1)")).toBe("ok");
  expect(database.pragma("foreign_keys")).toBe(1);
  database.close();
});

it("what a transaction throws undoes it, and a nested one alone where that is caught", () => {
  const { database, add, keys } = pairs();
  const fail = () => {
    throw new Error("undo");
  };
  expect(database.transaction(() => add.run("a", 1).changes)).toBe(1);
  expect(() =>
    database.immediate(() => {
      add.run("b", 1);
      fail();
    }),
  ).toThrow("undo");
  database.immediate(() => {
    add.run("c", 1);
    expect(() =>
      database.transaction(() => {
        add.run("d", 1);
        database.transaction(() => add.run("e", 1));
        fail();
      }),
    ).toThrow("undo");
    database.transaction(() => add.run("f", 1));
  });
  expect(keys()).toEqual(["a", "c", "f"]);
  database.close();
});

it.each([
  ["SQLITE_ERROR", "SELECT * FROM nothing"],
  ["SQLITE_CONSTRAINT_PRIMARYKEY", "INSERT INTO pairs VALUES ('a', 1)"],
  ["SQLITE_CONSTRAINT_DATATYPE", "INSERT INTO pairs VALUES (x'00', 1)"],
])("an error has the name of SQLite's code: %s", (code, sql) => {
  const { database, add } = pairs();
  add.run("a", 1);
  expect(codeOf(() => database.exec(sql))).toBe(code);
  expect(codeOf(() => database.prepare(sql).run())).toBe(code);
  expect(codeOf(() => database.immediate(() => database.exec(sql)))).toBe(code);
  database.close();
});

it.each([
  [5 | (2 << 8), "SQLITE_BUSY_SNAPSHOT"],
  [10 | (19 << 8), "SQLITE_IOERR_SHMSIZE"],
  [8 | (6 << 8), "SQLITE_READONLY_DIRECTORY"],
  [4 | (2 << 8), "SQLITE_ABORT_ROLLBACK"],
  [13, "SQLITE_FULL"],
  [5 | (99 << 8), "SQLITE_BUSY"],
  [4 | (1 << 8), "SQLITE_ABORT"],
  [99, "SQLITE_99"],
])("result code %i is %s", (code, name) => {
  expect(resultCodeName(code)).toBe(name);
});

it("a file is created only where that is asked for, and is not written to by who reads", () => {
  const folder = temporaryFolder();
  const path = join(folder, "a.db");
  for (const mode of ["ro", "rw"] as const) {
    expect(codeOf(() => openDatabase(path, { mode }))).toBe("SQLITE_CANTOPEN");
    expect(readdirSync(folder)).toEqual([]);
  }
  const made = openDatabase(path, { mode: "rwc" });
  made.exec("CREATE TABLE one (id)");
  made.close();
  const reader = openDatabase(path, { mode: "ro" });
  expect(reader.pragma("table_info(one)")).toBe(0);
  expect(codeOf(() => reader.exec("DROP TABLE one"))).toBe("SQLITE_READONLY");
  reader.close();
});

it.each(["a b.db", "a%41.db", "a?mode=ro#b.db", "ä\n'.db", "file:x.db", "a\\b.db"])(
  "the name of a file is taken as it is: %j",
  (name) => {
    const folder = temporaryFolder();
    const database = openDatabase(join(folder, name));
    database.exec("CREATE TABLE one (id)");
    database.close();
    expect(readdirSync(folder)).toEqual([name]);
  },
);

it("waits for a lock as long as it is told, and has SQLite's code for it", () => {
  const path = join(temporaryFolder(), "a.db");
  const [one, other] = [openDatabase(path, { timeoutMs: 0 }), openDatabase(path, { timeoutMs: 0 })];
  one.exec("CREATE TABLE pairs (id); BEGIN IMMEDIATE");
  expect(codeOf(() => other.immediate(() => undefined))).toBe("SQLITE_BUSY");
  one.exec("COMMIT");
  expect(other.immediate(() => "mine")).toBe("mine");
  expect([other.pragma("busy_timeout"), openTimeout(path)]).toEqual([0, 5000]);
  one.close();
  other.close();
});

function openTimeout(path: string): unknown {
  const database = openDatabase(path);
  const timeout = database.pragma("busy_timeout");
  database.close();
  return timeout;
}

it("bytes become a database in memory, also those of one in WAL mode, and no file", () => {
  const folder = temporaryFolder();
  const path = join(folder, "a.db");
  const file = openDatabase(path);
  expect(file.pragma("journal_mode = WAL")).toBe("wal");
  file.exec("CREATE TABLE one (id); INSERT INTO one VALUES (1)");
  const copy = openCopyInMemory(library, file.serialize());
  file.close();
  copy.exec("INSERT INTO one VALUES (2)");
  expect(copy.prepare("SELECT id FROM one").pluck().all()).toEqual([1, 2]);
  const again = library.openInMemory(copy.serialize());
  expect(again.prepare("SELECT count(*) FROM one").pluck().get()).toBe(2);
  copy.close();
  again.close();
  const empty = library.openInMemory(emptyDatabase(library, (database) => database.exec("CREATE TABLE two (id)")));
  expect(empty.prepare("SELECT name FROM sqlite_schema").pluck().all()).toEqual(["two"]);
  empty.close();
  expect(readdirSync(folder)).toEqual(["a.db"]);
});

it("may be closed again", () => {
  const { database } = pairs();
  database.close();
  expect(() => database.close()).not.toThrow();
  expect(() => database.exec("SELECT 1")).toThrow(/not open/);
});

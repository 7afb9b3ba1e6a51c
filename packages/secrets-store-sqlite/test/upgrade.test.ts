import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type EncryptedSecret, parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleId, sampleSecret } from "@autokestra/secrets-core/testing";
import type { Database } from "@autokestra/sqlite";
import { modeOf, run, temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { openDatabase, openUnsafe } from "../../sqlite/test/open-database.ts";
import { openSqliteStore } from "../src/index.ts";
import { bundle } from "./child.ts";
import { insertVersion1, makeVersion1 } from "./version-1-database.ts";

const DELETED = "2026-02-01T00:00:00.000Z";
const mac = ({ metadata }: EncryptedSecret) => `mac of ${metadata.id}`;
const secrets = [
  sampleSecret("A"),
  sampleSecret("A", { version: 2 }),
  sampleSecret("B", { deletedAt: DELETED }),
  sampleSecret("C"),
];

/** The path of a store of version 1. */
function version1(): string {
  const path = join(temporaryFolder(), "secrets.db");
  makeVersion1(path, { header: "one", secrets });
  return path;
}

async function listed(path: string): Promise<unknown> {
  const store = await openSqliteStore(path);
  const all = await store.list({ state: "all" });
  const content = { layout: await store.layout(), all: all.map(({ name, version }) => name + version).join(" ") };
  await store.close();
  return content;
}

describe("the store that version 1 has made", () => {
  const fixture = fileURLToPath(new URL("fixtures/v1/secrets.db", import.meta.url));

  /** What its tables hold, row by row. */
  function rowsOf(path: string, table: string): readonly Record<string, unknown>[] {
    const database = openDatabase(path);
    const rows = database.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table} ORDER BY name, version`).all();
    database.close();
    return rows;
  }

  it("has the tables that these tests make", () => {
    const schemaOf = (path: string) => {
      const database = openDatabase(path);
      const sql = database.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").raw().all();
      const facts = [database.pragma("application_id"), database.pragma("user_version")];
      database.close();
      return JSON.stringify([sql, facts]).replaceAll(/(\\n|\s)+/g, " ");
    };
    const copied = join(temporaryFolder(), "secrets.db");
    copyFileSync(fixture, copied);
    expect(schemaOf(version1())).toBe(schemaOf(copied));
  });

  it("is upgraded without a change of any value, and kept", async () => {
    const path = join(temporaryFolder(), "secrets.db");
    copyFileSync(fixture, path);
    const before = rowsOf(path, "secrets");
    const store = await openSqliteStore(path);
    expect(await store.layout()).toBe(1);
    expect((await store.list()).map(({ name, version, revision }) => `${name} ${version} ${revision}`)).toEqual([
      "API_KEY 3 3",
      "BEARER 1 1",
      "CUSTOM 1 1",
      "DB_LOGIN 1 1",
      "OAUTH 2 2",
    ]);
    expect((await store.list({ state: "deleted" })).map(({ name }) => name)).toEqual(["GONE", "api_key"]);
    const [gone] = await store.list({ name: "GONE", state: "deleted" });
    expect((await store.versions(gone?.id ?? "")).length).toBe(2);
    expect(await store.upgrade("two", await store.readHeader(), mac)).toBe(true);
    await store.close();
    const after = rowsOf(path, "secret_versions");
    expect(after).toEqual(
      before.map((row) => ({
        ...row,
        namespace: "",
        revision: row["is_current"] === 1 ? row["version"] : null,
        mac: row["is_current"] === 1 ? `mac of ${String(row["id"])}` : null,
        imported_id: null,
        policy: null,
      })),
    );
    expect(readdirSync(dirname(path)).sort()).toEqual(["secrets.db", "secrets.db.v1.backup"]);
    expect(modeOf(`${path}.v1.backup`)).toBe("600");
    expect(rowsOf(`${path}.v1.backup`, "secrets")).toEqual(before);
  });
});

describe("beside a process of version 1", () => {
  it("every statement of that process fails once the store is upgraded", async () => {
    const path = version1();
    const process1 = openDatabase(path);
    const statements = [
      "SELECT text FROM header",
      "UPDATE header SET text = 'three' WHERE text = 'one'",
      "SELECT * FROM secrets INDEXED BY secrets_current WHERE name = 'A' AND is_current = 1",
      "UPDATE secrets SET deleted_at = '2026' WHERE name = 'A' AND is_current = 1",
      "DELETE FROM secrets WHERE name = 'A'",
    ].map((sql) => ({ isRead: sql.startsWith("SELECT"), statement: process1.prepare(sql) }));
    const store = await openSqliteStore(path);
    await store.upgrade("two", "one", mac);
    for (const { isRead, statement } of statements) {
      const use = () => (isRead ? statement.get() : statement.run());
      expect(use).toThrow(/no such table/);
    }
    expect(() => insertVersion1(process1, sampleSecret("A", { version: 3 }))).toThrow(/no such table/);
    process1.close();
    expect((await store.list()).map(({ name, version }) => name + version)).toEqual(["A2", "C1"]);
    await store.close();
  });

  it("what that process writes is read, and is in the upgraded store", async () => {
    const path = version1();
    const store = await openSqliteStore(path);
    expect((await store.get(parseSecretName("A")))?.metadata.version).toBe(2);
    const process1 = openDatabase(path);
    insertVersion1(process1, sampleSecret("A", { version: 3 }));
    expect((await store.get(parseSecretName("A")))?.metadata.version).toBe(3);
    insertVersion1(process1, sampleSecret("D"));
    expect(await store.upgrade("two", "one", mac)).toBe(true);
    expect((await store.versions(sampleId("A"))).map(({ metadata }) => metadata.version)).toEqual([3, 2, 1]);
    expect((await store.list()).map(({ name }) => name)).toEqual(["A", "C", "D"]);
    process1.close();
    await store.close();
  });

  it("an upgrade waits for what that process writes, and lets it read what it has begun to read", async () => {
    const path = version1();
    const store = await openSqliteStore(path, { busyTimeoutMs: 20_000 });
    const [reading, writing] = [openDatabase(path), openDatabase(path)];
    reading.exec("BEGIN");
    const count = reading.prepare("SELECT count(*) FROM secrets").pluck();
    expect(count.get()).toBe(4);
    writing.exec("BEGIN IMMEDIATE; DELETE FROM secrets WHERE name = 'C'");
    const upgrade = store.upgrade("two", "one", mac);
    setTimeout(() => writing.exec("COMMIT"), 100);
    expect(await upgrade).toBe(true);
    expect((await store.list()).map(({ name }) => name)).toEqual(["A"]);
    expect(count.get()).toBe(4);
    reading.exec("COMMIT");
    expect(() => count.get()).toThrow(/no such table/);
    for (const database of [reading, writing]) database.close();
    await store.close();
  });

  it("a process of version 1 that opens it afterwards finds a schema that it does not know", async () => {
    const path = version1();
    const store = await openSqliteStore(path);
    await store.upgrade("two", "one", mac);
    await store.close();
    const database = openDatabase(path);
    // Version 1 refuses every number above 1.
    expect(database.pragma("user_version")).toBe(2);
    database.close();
  });
});

describe("an upgrade in another process", { tags: ["faults"] }, () => {
  it.each([1, 2, 3])("that is killed at the mac of secret %i has changed nothing", async (at) => {
    const path = version1();
    const before = readFileSync(path);
    await expect(run(await bundle("upgrader.ts"), [path, "two", String(at)])).rejects.toMatchObject({
      signal: "SIGKILL",
    });
    expect(await listed(path)).toEqual({ layout: 1, all: "A2 B1 C1" });
    expect(readFileSync(path).length).toBe(before.length);
    expect(await run(await bundle("upgrader.ts"), [path, "two"])).toBe("true");
    expect(await listed(path)).toEqual({ layout: 2, all: "A2 B1 C1" });
    expect(readdirSync(dirname(path)).sort()).toEqual(["secrets.db", "secrets.db.v1.backup"]);
  });

  it("is one of many, and exactly one does it", async () => {
    const path = version1();
    const file = await bundle("upgrader.ts");
    const headers = ["a", "b", "c", "d", "e", "f"];
    const outcomes = await Promise.all(headers.map(async (header) => await run(file, [path, header])));
    expect(outcomes.filter((outcome) => outcome === "true")).toHaveLength(1);
    const store = await openSqliteStore(path);
    expect(await store.readHeader()).toBe(headers[outcomes.indexOf("true")]);
    expect((await store.find(sampleId("B")))?.mac).toBe(`mac of ${sampleId("B")}`);
    await store.close();
    expect(readdirSync(dirname(path)).sort()).toEqual(["secrets.db", "secrets.db.v1.backup"]);
  });
});

describe("a damaged store of version 1", () => {
  it("can be read but for the record that is damaged, and is upgraded with it as it is", async () => {
    const path = version1();
    const database = openDatabase(path);
    database.exec("UPDATE secrets SET type = 'password' WHERE name = 'A'");
    database.close();
    const store = await openSqliteStore(path);
    const damaged = { code: "STORE_CORRUPT", message: expect.stringContaining("Secret 'A' is damaged") };
    await expect(store.get(parseSecretName("A"))).rejects.toMatchObject(damaged);
    expect((await store.get(parseSecretName("C")))?.metadata.name).toBe("C");
    expect(await store.upgrade("two", "one", mac)).toBe(true);
    expect((await store.find(sampleId("C")))?.mac).toBe(`mac of ${sampleId("C")}`);
    await expect(store.find(sampleId("A"))).rejects.toMatchObject(damaged);
    expect(await store.purge(sampleId("A"))).toBe(true);
    await putSecret(store, sampleSecret("A"));
    await store.close();
  });

  it.each(["secrets_current", "secrets_version", "secrets_type"])(
    "that misses a row in its index %s is refused, never half read",
    async (index) => {
      const path = version1();
      await forget(path, index, (database) => insertVersion1(database, sampleSecret("D")));
      const store = await openSqliteStore(path);
      const damaged = { code: "STORE_CORRUPT", message: expect.stringContaining("its index is damaged") };
      await expect(store.get(parseSecretName("D"))).rejects.toMatchObject(damaged);
      await expect(store.list()).rejects.toMatchObject(damaged);
      await expect(store.upgrade("two", "one", mac)).rejects.toMatchObject(damaged);
      await store.close();
      expect(readdirSync(dirname(path))).toEqual(["secrets.db"]);
    },
  );

  /** Does some work that an index does not notice. */
  async function forget(path: string, index: string, work: (database: Database) => void): Promise<void> {
    const hide = await openUnsafe(path);
    hide.pragma("writable_schema = ON");
    const row = hide.prepare("SELECT * FROM sqlite_schema WHERE name = ?").raw().get(index);
    hide.prepare("DELETE FROM sqlite_schema WHERE name = ?").run(index);
    hide.close();
    const change = await openUnsafe(path);
    work(change);
    change.pragma("writable_schema = ON");
    change.prepare("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)").run(row);
    change.close();
  }
});

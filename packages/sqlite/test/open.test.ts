import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCode } from "@autokestra/secrets-core/internal";
import { modeOf, temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import {
  type Database,
  findDatabaseFiles,
  lockExclusively,
  openInPlace,
  restrictDatabaseFiles,
  truncateWal,
} from "../src/index.ts";
import { library, openDatabase } from "./open-database.ts";

const refuse = (problem: string) => new Error(`refused: ${problem}`);
const irregular = (file: string, kind: string) => new Error(`${file} is ${kind}`);

/** The path of a closed database in WAL mode, and an open connection to it. */
function sample(): { path: string; database: Database } {
  const path = join(temporaryFolder(), "a.db");
  const database = openDatabase(path, { timeoutMs: 0 });
  database.pragma("journal_mode = WAL");
  database.exec("CREATE TABLE one (id)");
  return { path, database };
}

it.each(["", "-wal", "-shm", "-journal"])(
  "a link or a folder in the place of a.db%s is no file of a database",
  (suffix) => {
    const folder = temporaryFolder();
    const path = join(folder, "a.db");
    symlinkSync(join(folder, "elsewhere"), `${path}${suffix}`);
    expect(() => findDatabaseFiles(path, irregular)).toThrow(`${path}${suffix} is a symbolic link`);
    rmSync(`${path}${suffix}`);
    mkdirSync(`${path}${suffix}`);
    expect(() => findDatabaseFiles(path, irregular)).toThrow(`${path}${suffix} is not a regular file`);
    expect(existsSync(join(folder, "elsewhere"))).toBe(false);
  },
);

it("tells which files are there, and closes them to others", () => {
  const { path, database } = sample();
  expect(findDatabaseFiles(join(dirname(path), "none.db"), irregular)).toEqual({ database: undefined, wal: undefined });
  expect(findDatabaseFiles(path, irregular)).toMatchObject({ database: { size: 4096 }, wal: { nlink: 1 } });
  const files = ["a.db", "a.db-shm", "a.db-wal"].map((name) => join(dirname(path), name));
  for (const file of files) chmodSync(file, 0o664);
  restrictDatabaseFiles(path, refuse);
  expect(files.map(modeOf)).toEqual(["600", "600", "600"]);
  database.close();
});

it("opens with these pragmas, waits for nobody, and knows when the file has gone", () => {
  const { path, database } = sample();
  database.close();
  const placed = openInPlace(library, path, ["secure_delete = ON", "synchronous = FULL"], refuse);
  const pragmas = ["secure_delete", "synchronous", "busy_timeout"].map((pragma) => placed.database.pragma(pragma));
  expect([pragmas, placed.isInPlace()]).toEqual([[1, 2, 0], true]);
  renameSync(path, `${path}.old`);
  expect(placed.isInPlace()).toBe(false);
  writeFileSync(path, "");
  expect(placed.isInPlace()).toBe(false);
  placed.database.close();
});

it("refuses a file that is swapped while it is opened, and makes none", () => {
  const [{ path, database }, other] = [sample(), sample()];
  database.close();
  other.database.close();
  const swapping = {
    ...library,
    open(...args: Parameters<typeof library.open>) {
      const opened = library.open(...args);
      renameSync(other.path, path);
      return opened;
    },
  };
  expect(() => openInPlace(swapping, path, [], refuse)).toThrow("refused: it was moved or removed");
  rmSync(path);
  expect(() => openInPlace(library, path, [], refuse)).toThrow(expect.objectContaining({ code: "SQLITE_CANTOPEN" }));
  expect(existsSync(path)).toBe(false);
});

it("cuts the WAL, and leaves it to the next one where somebody reads it", () => {
  const { path, database } = sample();
  const size = () => Number(findDatabaseFiles(path, irregular).wal?.size);
  const reader = openDatabase(path);
  reader.exec("BEGIN");
  reader.prepare("SELECT * FROM one").all();
  database.exec("INSERT INTO one VALUES (1)");
  truncateWal(database);
  expect(size()).toBeGreaterThan(0);
  reader.exec("COMMIT");
  truncateWal(database);
  expect(size()).toBe(0);
  reader.close();
  database.close();
});

it("locks everybody else out, with everything in the one file, until it is closed", () => {
  const { path, database } = sample();
  lockExclusively(database, refuse, () => undefined);
  expect(existsSync(`${path}-wal`)).toBe(false);
  const other = openDatabase(path, { timeoutMs: 0 });
  expect(() => other.pragma("user_version")).toThrow(expect.objectContaining({ code: "SQLITE_BUSY" }));
  database.close();
  expect(other.pragma("user_version")).toBe(0);
  other.close();
});

it("lets the others in again where they have it open, or where the check throws", () => {
  const { path, database } = sample();
  const other = openDatabase(path, { timeoutMs: 0 });
  other.exec("INSERT INTO one VALUES (1)");
  const lock = (check: () => void): string => {
    try {
      lockExclusively(database, refuse, check);
      return "locked";
    } catch (error) {
      return errorCode(error) || String(error);
    }
  };
  expect(lock(() => undefined)).toBe("SQLITE_BUSY");
  other.exec("INSERT INTO one VALUES (2)");
  other.close();
  const fail = () => {
    throw new Error("moved");
  };
  expect(lock(fail)).toBe("Error: moved");
  const again = openDatabase(path, { timeoutMs: 0 });
  database.prepare("SELECT * FROM one").all();
  expect(again.prepare("SELECT count(*) FROM one").pluck().get()).toBe(2);
  again.close();
  expect(lock(() => undefined)).toBe("locked");
  database.close();
});

it.each(["CREATE TRIGGER t AFTER INSERT ON one BEGIN DELETE FROM one; END", "CREATE VIEW v AS SELECT * FROM one"])(
  "writes nothing beside %s, whenever it was put in",
  (sql) => {
    const { path, database } = sample();
    const { database: placed } = openInPlace(library, path, [], refuse);
    const insert = placed.prepare("INSERT INTO one VALUES (1)");
    const write = () => placed.immediate(() => void insert.run());
    write();
    database.exec("CREATE TABLE two (id)");
    write();
    database.exec(sql);
    expect(write).toThrow("refused: it has a trigger or a view, and autokestra makes none");
    expect(database.prepare("SELECT count(*) FROM one").pluck().get()).toBe(2);
    const again = openInPlace(library, path, [], refuse).database;
    expect(() => again.immediate(() => undefined)).toThrow("refused: it has a trigger or a view");
    expect(again.prepare("SELECT count(*) FROM one").pluck().get()).toBe(2);
    again.close();
    placed.close();
    database.close();
  },
);

import { existsSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modeOf, temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { backupDatabase } from "../src/index.ts";
import { openDatabase } from "./open-database.ts";

/** An open database, and where to copy it to. */
function sample() {
  const path = join(temporaryFolder(), "secrets.db");
  const database = openDatabase(path, { timeoutMs: 0 });
  database.pragma("journal_mode = WAL");
  database.exec("CREATE TABLE one (id); INSERT INTO one VALUES (1)");
  return { path, database, target: join(temporaryFolder(), "copy.db") };
}

it("a copy is whole and private, while another connection writes", () => {
  const { path, database, target } = sample();
  const other = openDatabase(path);
  other.exec("BEGIN IMMEDIATE; DELETE FROM one");
  backupDatabase(database, target);
  other.close();
  database.close();
  expect([modeOf(target), readdirSync(join(target, ".."))]).toEqual(["600", ["copy.db"]]);
  const copy = openDatabase(target);
  expect([copy.prepare("SELECT id FROM one").pluck().all(), copy.pragma("integrity_check(1)")]).toEqual([[1], "ok"]);
  copy.close();
});

it.each([
  ["a file", (target: string) => writeFileSync(target, "mine")],
  ["a link to nothing", (target: string) => symlinkSync("elsewhere", target)],
])("%s in the place of the copy is left alone", (_, place) => {
  const { database, target } = sample();
  place(target);
  expect(() => backupDatabase(database, target)).toThrow(
    expect.objectContaining({
      code: "STORE_UNAVAILABLE",
      message: `Secret store "${target}" cannot be used: it already exists`,
    }),
  );
  expect([readdirSync(join(target, "..")), existsSync(join(target, "../elsewhere"))]).toEqual([["copy.db"], false]);
  database.close();
});

it("a folder that is not there is named", () => {
  const { path, database } = sample();
  expect(() => backupDatabase(database, join(path, "../none/copy.db"))).toThrow(
    /none\/copy\.db" cannot be used: no such file or directory \(ENOENT\)$/,
  );
  database.close();
});

it("the temporary file of a process that was killed is swept by the next one of this name", () => {
  const { database, target } = sample();
  writeFileSync(`${target}.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`, "half");
  backupDatabase(database, target);
  expect(readdirSync(join(target, ".."))).toEqual(["copy.db"]);
  database.close();
});

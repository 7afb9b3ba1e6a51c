import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { openSnapshot } from "../src/index.ts";
import { library, openDatabase } from "./open-database.ts";

/** A closed database in WAL mode with one row. */
function sampleDatabase(): string {
  const path = join(temporaryFolder(), "secrets.db");
  const database = openDatabase(path);
  database.pragma("journal_mode = WAL");
  database.exec("CREATE TABLE one (id); INSERT INTO one VALUES (1)");
  database.close();
  return path;
}

function failure(code: string): Error {
  return Object.assign(new Error("no"), { code });
}

it("a copy in memory is in place until the file is written to", () => {
  const path = sampleDatabase();
  const snapshot = openSnapshot(library, path, failure("SQLITE_CANTOPEN"), () => undefined);
  expect(snapshot?.readOnlyReason).toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringMatching(/it cannot be opened \(SQLITE_CANTOPEN\)$/),
  });
  expect(snapshot?.database.prepare("SELECT id FROM one").pluck().all()).toEqual([1]);
  expect(snapshot?.isInPlace()).toBe(true);
  const again = openDatabase(path);
  again.exec("INSERT INTO one VALUES (2)");
  expect(snapshot?.isInPlace()).toBe(false);
  again.close();
  expect(snapshot?.isInPlace()).toBe(false);
  snapshot?.database.close();
});

it("what the check throws is thrown", () => {
  const refuse = () => {
    throw new Error("another program's");
  };
  expect(() => openSnapshot(library, sampleDatabase(), failure("SQLITE_READONLY"), refuse)).toThrow(
    "another program's",
  );
});

it("a full disk is called that, not read-only", () => {
  const snapshot = openSnapshot(library, sampleDatabase(), failure("SQLITE_IOERR_SHMSIZE"), () => undefined);
  expect(snapshot?.readOnlyReason.message).toMatch(
    /: no space left, or a limit of file sizes is reached \(SQLITE_IOERR_SHMSIZE\)$/,
  );
  snapshot?.database.close();
});

it.each(["SQLITE_BUSY", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_READ", ""])(
  "no copy is made of a database that fails with '%s'",
  (code) => {
    expect(openSnapshot(library, "/nowhere/secrets.db", failure(code), () => undefined)).toBe(null);
  },
);

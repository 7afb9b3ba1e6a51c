import { AutokestraError } from "@autokestra/secrets-core";
import { expect, it } from "vitest";
import { toStoreError } from "../src/errors.ts";

const PATH = "/srv/with 'quotes' and\nlines/secrets.db";

it.each([
  ["SQLITE_FULL", "STORE_UNAVAILABLE", "disk is full (SQLITE_FULL)"],
  ["SQLITE_IOERR_WRITE", "STORE_UNAVAILABLE", "the disk failed to read or write (SQLITE_IOERR_WRITE)"],
  ["SQLITE_READONLY_DIRECTORY", "STORE_UNAVAILABLE", "it is read-only (SQLITE_READONLY_DIRECTORY)"],
  ["SQLITE_CANTOPEN", "STORE_UNAVAILABLE", "it cannot be opened (SQLITE_CANTOPEN)"],
  ["SQLITE_CORRUPT_INDEX", "STORE_CORRUPT", "it is damaged (SQLITE_CORRUPT_INDEX)"],
  ["SQLITE_NOTADB", "STORE_CORRUPT", "it is not a database (SQLITE_NOTADB)"],
  ["SQLITE_ERROR", "STORE_CORRUPT", "it is not laid out as it should be (SQLITE_ERROR)"],
  ["SQLITE_SOMETHING_NEW", "STORE_UNAVAILABLE", "unexpected failure (SQLITE_SOMETHING_NEW)"],
])("%s is %s and keeps nothing of the library's text", (code, expected, reason) => {
  const library = Object.assign(new Error("near 'hunter2'"), { code });
  const error = toStoreError(library, PATH);
  expect(error.code).toBe(expected);
  expect(error.message.endsWith(`: ${reason}`)).toBe(true);
  expect(error.message.includes(JSON.stringify(PATH))).toBe(true);
  expect(`${error.message}${error.hint}${String(error.cause)}`).not.toContain("hunter2");
});

it("an error of the file system keeps its reason", () => {
  const error = toStoreError(Object.assign(new Error("ENOSPC: hunter2"), { code: "ENOSPC", errno: -28 }), PATH);
  expect(error.message).toMatch(/: no space left on device \(ENOSPC\)$/);
});

it.each([[new TypeError("hunter2")], ["hunter2"], [undefined]])("%s is an unexpected failure", (thrown) => {
  expect(toStoreError(thrown, PATH).message).toMatch(/: unexpected failure$/);
});

it("an AutokestraError stays itself", () => {
  const error = new AutokestraError("SECRET_EXISTS", "taken");
  expect(toStoreError(error, PATH)).toBe(error);
});

import { AutokestraError } from "@autokestra/secrets-core";
import { expect, it } from "vitest";
import { toStoreError } from "../src/file-lock.ts";

const PATH = "/srv/with 'quotes' and\nlines/secrets.json";

it.each([
  ["ENOSPC", -28, "no space left on device (ENOSPC)"],
  ["EACCES", -13, "permission denied (EACCES)"],
  ["EROFS", -30, "read-only file system (EROFS)"],
  ["EMFILE", -24, "too many open files (EMFILE)"],
])("%s keeps its reason and nothing of the library's text", (code, errno, reason) => {
  const error = toStoreError(Object.assign(new Error("open 'hunter2'"), { code, errno }), PATH);
  expect(error.code).toBe("STORE_UNAVAILABLE");
  expect(error.message).toBe(`Secret store ${JSON.stringify(PATH)} cannot be used: ${reason}`);
  expect(error.cause).toBe(undefined);
});

it.each([
  [new TypeError("hunter2")],
  [Object.assign(new Error("hunter2"), { code: "ENEW" })],
  ["hunter2"],
  [undefined],
])("%s is an unexpected failure", (thrown) => {
  expect(toStoreError(thrown, PATH).message).toMatch(/: unexpected failure$/);
});

it("an AutokestraError stays itself", () => {
  const error = new AutokestraError("SECRET_EXISTS", "taken");
  expect(toStoreError(error, PATH)).toBe(error);
});

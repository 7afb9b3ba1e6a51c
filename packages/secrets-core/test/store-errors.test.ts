import { expect, it } from "vitest";
import { secretCorrupt, storeCorrupt, storeTooNew, storeUnavailable } from "../src/internal.ts";

const PATH = "/srv/with 'quotes' and\nlines/secrets.db";
const SHOWN = JSON.stringify(PATH);

it.each([
  [storeUnavailable(PATH, "it is locked"), "STORE_UNAVAILABLE", `Secret store ${SHOWN} cannot be used: it is locked`],
  [storeCorrupt(PATH, "it is empty"), "STORE_CORRUPT", `Secret store ${SHOWN} cannot be read: it is empty`],
  [storeTooNew(PATH, "format", 2, 1), "STORE_TOO_NEW", `Secret store ${SHOWN} has format 2`],
  [storeTooNew(PATH, "schema", 999, 3), "STORE_TOO_NEW", `Secret store ${SHOWN} has schema 999`],
  [secretCorrupt(PATH, "A\n"), "STORE_CORRUPT", `Secret 'A\\u{a}' is damaged in ${SHOWN}`],
])("%s", (error, code, message) => {
  expect(error).toMatchObject({ code, message });
});

it("what is too new is told which layouts are known", () => {
  expect(storeTooNew(PATH, "schema", 999, 3).hint).toContain("knows schemas up to 3: use a newer one");
});

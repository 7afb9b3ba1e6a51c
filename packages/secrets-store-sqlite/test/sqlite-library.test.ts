import { cpSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { isSqliteMissing } from "@autokestra/sqlite";
import { expect, it } from "vitest";
import { bundle, run } from "./child.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A copy of better-sqlite3 whose native part is damaged by `change`. */
function brokenSqlite(change: (addon: string) => void): string {
  const real = dirname(createRequire(import.meta.url).resolve("better-sqlite3/package.json"));
  const folder = join(temporaryFolder(), "node_modules");
  const copy = join(folder, "better-sqlite3");
  for (const part of ["package.json", "lib", "build/Release/better_sqlite3.node"]) {
    cpSync(join(real, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(real, "../bindings"), join(folder, "bindings"));
  change(join(copy, "build/Release/better_sqlite3.node"));
  return join(copy, "lib/index.js");
}

it.each([
  ["is not installed", () => "/nowhere/better-sqlite3/index.js", /not installed \(ERR_MODULE_NOT_FOUND\)/],
  ["was never built", () => brokenSqlite((addon) => rmSync(addon)), /never built/],
  ["is for another platform", () => brokenSqlite((addon) => writeFileSync(addon, "MZ")), /ERR_DLOPEN_FAILED/],
])("says that SQLite is missing where better-sqlite3 %s, and touches nothing", async (_, sqlite, message) => {
  const folder = join(temporaryFolder(), "secrets");
  const result = JSON.parse(await run(await bundle("sqlite-missing.ts", sqlite()), [folder]));
  expect(result).toEqual({ missing: true, message: expect.stringMatching(message), touched: false });
});

it("opens with a copy of better-sqlite3 that is whole", async () => {
  const folder = join(temporaryFolder(), "secrets");
  const file = await bundle(
    "sqlite-missing.ts",
    brokenSqlite(() => undefined),
  );
  expect(JSON.parse(await run(file, [folder]))).toEqual({ missing: false, message: "opened", touched: true });
});

it.each([[new AutokestraError("STORE_UNAVAILABLE", "locked")], [new Error("MODULE_NOT_FOUND")], [null], [undefined]])(
  "does not call %s a missing library",
  (error) => {
    expect(isSqliteMissing(error)).toBe(false);
  },
);

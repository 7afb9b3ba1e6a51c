import { execFile } from "node:child_process";
import { cpSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { AutokestraError } from "@autokestra/secrets-core";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { isSqliteMissing } from "../src/index.ts";
import { loadNodeSqlite } from "../src/node-sqlite.ts";
import { bundle, NOWHERE, WITHOUT_BUILT_IN } from "./child.ts";

/** A copy of better-sqlite3 whose native part is damaged by `change`. */
function brokenSqlite(change: (addon: string) => void): string {
  const real = dirname(createRequire(import.meta.url).resolve("better-sqlite3/package.json"));
  const folder = join(temporaryFolder(), "node_modules");
  const copy = join(folder, "better-sqlite3");
  for (const part of ["package.json", "lib"]) cpSync(join(real, part), join(copy, part), { recursive: true });
  symlinkSync(join(real, "../bindings"), join(folder, "bindings"));
  const addon = join(copy, "build/Release/better_sqlite3.node");
  cpSync(dirname(addon.replace(copy, real)), dirname(addon), { recursive: true });
  change(addon);
  return join(copy, "lib/index.js");
}

const BROKEN: [string, () => string, RegExp][] = [
  ["is not installed", () => NOWHERE, /better-sqlite3 is not installed \(ERR_MODULE_NOT_FOUND\)/],
  ["was never built", () => brokenSqlite((addon) => rmSync(addon)), /never built/],
  ["is for another platform", () => brokenSqlite((addon) => writeFileSync(addon, "MZ")), /ERR_DLOPEN_FAILED/],
];

/** Runs loader.ts with a better-sqlite3 and options of Node.js. */
async function load(sqlite: string, ...options: string[]): Promise<{ stdout: string; stderr: string }> {
  const script = await bundle(new URL("loader.ts", import.meta.url), sqlite);
  return await promisify(execFile)(process.execPath, [...options, script], { timeout: 100_000 });
}

it.each(BROKEN)(
  "says that SQLite is missing where better-sqlite3 %s and none is built in",
  async (_, sqlite, message) => {
    const { stdout, stderr } = await load(sqlite(), ...WITHOUT_BUILT_IN);
    expect(stdout).toMatch(/^true SQLite cannot be used: /);
    expect(stdout).toMatch(message);
    expect(stderr).toBe("");
  },
);

it.each(BROKEN)(
  "where better-sqlite3 %s, takes what is built in if it is new enough, and no warning is seen",
  async (_, sqlite) => {
    const { stdout, stderr } = await load(sqlite());
    expect(stdout).toMatch(loadNodeSqlite() === null ? /^true / : /^node:sqlite\n$/);
    expect(stderr).toBe("");
  },
);

it.each([[new AutokestraError("STORE_UNAVAILABLE", "locked")], [new Error("MODULE_NOT_FOUND")], [null], [undefined]])(
  "does not call %s a missing library",
  (error) => {
    expect(isSqliteMissing(error)).toBe(false);
  },
);

import { createRequire } from "node:module";
import { bundleScript } from "../../private-files/test/child.ts";
import { library } from "./open-database.ts";

export { run } from "../../private-files/test/child.ts";

/** A better-sqlite3 that is not there. */
export const NOWHERE = "/nowhere/better-sqlite3/index.js";

/** Options of Node.js that take its own SQLite away; Node.js 20 has neither. */
export const WITHOUT_BUILT_IN: readonly string[] = process.allowedNodeEnvironmentFlags.has("--experimental-sqlite")
  ? ["--no-experimental-sqlite"]
  : [];

/**
 * Compiles a script that uses SQLite for a process of its own.
 *
 * @param sqlite the better-sqlite3 that it imports. Default: such that it has the library of this process
 * @returns the path of the bundle
 */
export async function bundle(script: URL, sqlite: string = betterSqlite3()): Promise<string> {
  return await bundleScript(script, { "better-sqlite3": sqlite });
}

function betterSqlite3(): string {
  return library.name === "node:sqlite" ? NOWHERE : createRequire(import.meta.url).resolve("better-sqlite3");
}

import { createRequire } from "node:module";
import { bundleScript, run } from "@autokestra/test-kit";
import { library } from "./open-database.ts";

/** A better-sqlite3 that is not there. */
export const NOWHERE = "/nowhere/better-sqlite3/index.js";

/** Options of Node.js that take its own SQLite away; Node.js 20 has neither. */
export const WITHOUT_BUILT_IN: readonly string[] = process.allowedNodeEnvironmentFlags.has("--experimental-sqlite")
  ? ["--no-experimental-sqlite"]
  : [];

/**
 * Compiles a script that uses SQLite for a process of its own.
 *
 * @param better the better-sqlite3 that it imports. Default: such that it has the library of this process
 * @returns the path of the bundle
 */
export async function bundle(
  script: URL,
  better: string = library.name === "node:sqlite" ? NOWHERE : betterSqlite3(),
): Promise<string> {
  return await bundleScript(script, { "better-sqlite3": better });
}

/** The libraries that run under this Node.js, each with the better-sqlite3 that leads to it. */
export async function usableLibraries(): Promise<{ name: string; better: string }[]> {
  const libraries: { name: string; better: string }[] = [];
  for (const better of [betterSqlite3(), NOWHERE]) {
    const name = await run(await bundle(new URL("loader.ts", import.meta.url), better), []);
    if (!name.startsWith("true") && libraries.every((other) => other.name !== name)) libraries.push({ name, better });
  }
  return libraries;
}

function betterSqlite3(): string {
  return createRequire(import.meta.url).resolve("better-sqlite3");
}

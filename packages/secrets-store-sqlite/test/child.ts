import { createRequire } from "node:module";
import { bundleScript } from "../../private-files/test/child.ts";

export { run } from "../../private-files/test/child.ts";

/**
 * Compiles a file of test/ for a process of its own.
 *
 * @param sqlite the better-sqlite3 that it imports; the real one unless told
 * @returns the path of the bundle
 */
export async function bundle(
  name: string,
  sqlite: string = createRequire(import.meta.url).resolve("better-sqlite3"),
): Promise<string> {
  return await bundleScript(new URL(name, import.meta.url), { "better-sqlite3": sqlite });
}

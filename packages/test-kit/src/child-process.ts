import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { rolldown } from "rolldown";
import { temporaryFolder } from "./temporary-folder.ts";

/**
 * Compiles a script for a process of its own: Node 20 does not run TypeScript.
 *
 * @param external what is not to be compiled in: from the name that is imported to the path of the module
 * @returns the path of the bundle
 */
export async function bundleScript(script: URL, external: Readonly<Record<string, string>> = {}): Promise<string> {
  const compiled = await rolldown({
    input: fileURLToPath(script),
    platform: "node",
    resolve: { conditionNames: ["@autokestra/source", "node", "import"] },
    plugins: [
      {
        name: "external",
        resolveId(name) {
          const id = external[name];
          return id === undefined ? null : { id, external: "absolute" };
        },
      },
    ],
  });
  const file = join(temporaryFolder(), "bundle.mjs");
  await compiled.write({ file, codeSplitting: false });
  await compiled.close();
  return file;
}

/** Runs a bundle to its end with this umask and returns what it has printed. */
export async function run(file: string, args: readonly string[], umask = "022"): Promise<string> {
  const script = `umask ${umask}; exec "$0" "$@"`;
  const command = ["-c", script, process.execPath, file, ...args];
  const { stdout } = await promisify(execFile)("sh", command, { timeout: 30_000 });
  return stdout.trim();
}

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { rolldown } from "rolldown";
import { temporaryFolder } from "./temporary-folder.ts";

/** The bundles of this worker, by the script and its external modules. */
const compiled = new Map<string, Promise<string>>();

/**
 * Compiles a script for a process of its own: Node 20 does not run TypeScript.
 *
 * @param external modules that are not bundled: from the imported name to the path of the module
 * @returns the path of the bundle
 */
export async function bundleScript(script: URL, external: Readonly<Record<string, string>> = {}): Promise<string> {
  const name = JSON.stringify([script.href, external]);
  const code = compiled.get(name) ?? compile(script, external);
  compiled.set(name, code);
  const file = join(temporaryFolder(), "bundle.mjs");
  writeFileSync(file, await code);
  return file;
}

async function compile(script: URL, external: Readonly<Record<string, string>>): Promise<string> {
  const bundle = await rolldown({
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
  const { output } = await bundle.generate({ codeSplitting: false });
  await bundle.close();
  return output[0].code;
}

/** Runs a bundle with this umask and returns its output. */
export async function run(file: string, args: readonly string[], umask = "022"): Promise<string> {
  const script = `umask ${umask}; exec "$0" "$@"`;
  const command = ["-c", script, process.execPath, file, ...args];
  const { stdout } = await promisify(execFile)("sh", command, { timeout: 100_000 });
  return stdout.trim();
}

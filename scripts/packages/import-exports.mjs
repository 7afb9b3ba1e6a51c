import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../run.mjs";
import { consumerEnvironment } from "./consumer-environment.mjs";

const SCRIPT = "import-all.mjs";

/** Lies beside the installed packages, because imports are looked up from the file that makes them. */
const IMPORT_ALL = `
for (const specifier of process.argv.slice(2)) {
  const module = await import(specifier);
  if (Object.keys(module).length === 0) throw new Error(specifier + " exports nothing");
}`;

/**
 * Imports every entry of every package in plain Node, except type-only ones. Each must have at least one export. Returns how many there are.
 *
 * @param {string} folder Where the packages are installed.
 * @param {readonly import("./pack.mjs").Tarball[]} tarballs
 * @returns {number}
 */
export function importExports(folder, tarballs) {
  const specifiers = tarballs.flatMap(({ manifest }) =>
    Object.entries(manifest.exports ?? {})
      // Types alone have nothing to import.
      .filter(([subpath, conditions]) => subpath !== "./package.json" && "default" in Object(conditions))
      .map(([subpath]) => manifest.name + subpath.slice(1)),
  );
  if (specifiers.length === 0) throw new Error("no package exports anything");
  writeFileSync(join(folder, SCRIPT), IMPORT_ALL);
  mustRun("node", [SCRIPT, ...specifiers], { cwd: folder, env: consumerEnvironment(folder) });
  return specifiers.length;
}

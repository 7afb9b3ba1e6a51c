// The names that each package exports, types too: a lost one is seen.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseSync } from "oxc-parser";
import { readWorkspace, repository } from "../../../scripts/workspace.mjs";

/** @import { Recorder } from "../support/recorder.mjs" */

/** @param {Recorder} recorder */
export async function record({ part, names }) {
  for (const { folder, manifest } of readWorkspace(repository)) {
    for (const [entry, target] of Object.entries(manifest.exports ?? {})) {
      const { types, default: code } = /** @type {{ types?: string, default?: string }} */ (target);
      if (types === undefined || code === undefined) continue;
      const values = Object.keys(await import(pathToFileURL(join(repository, folder, code)).href));
      const all = [...exportsOf(join(repository, folder, types))];
      part(join(manifest.name, entry));
      names(all.map((name) => (values.includes(name) ? name : `type ${name}`)).toSorted());
    }
  }
}

/** @param {string} file A declaration file. @returns {ReadonlySet<string>} */
function exportsOf(file) {
  const { staticExports } = parseSync(file, readFileSync(file, "utf8")).module;
  const names = staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ exportName, moduleRequest }) => {
      if (exportName.name !== null) return [exportName.name];
      // `export *`
      return [...exportsOf(join(dirname(file), `${moduleRequest?.value}`.replace(/\.[jt]s$/, ".d.ts")))];
    }),
  );
  return new Set(names);
}

// The names that each package exports, types too: a lost one is seen.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseSync } from "oxc-parser";
import { readWorkspace, repository } from "../../../scripts/workspace.mjs";

/** @import { Recorder } from "../support/recorder.mjs" */

/** @param {Recorder} recorder */
export async function record({ part, names }) {
  const entries = findEntries();
  for (const [name, { types, code }] of entries) {
    const values = code === null ? [] : Object.keys(await import(pathToFileURL(code).href));
    const all = [...exportsOf(types, entries)];
    part(name);
    names(all.map((each) => (values.includes(each) ? each : `type ${each}`)).toSorted());
  }
}

/** @typedef {ReadonlyMap<string, { types: string, code: string | null }>} Entries `code` is null for types alone. By what is imported: `@autokestra/secrets-core/testing`. */

/** @returns {Entries} */
function findEntries() {
  const entries = readWorkspace(repository).flatMap(({ folder, manifest }) =>
    // Nobody installs what is private.
    Object.entries(manifest.private === true ? {} : (manifest.exports ?? {})).map(([entry, target]) => {
      const { types, default: code } = /** @type {{ types: string, default?: string }} */ (target);
      const root = join(repository, folder);
      return /** @type {const} */ ([
        join(manifest.name, entry),
        { types: join(root, types), code: code === undefined ? null : join(root, code) },
      ]);
    }),
  );
  return new Map(entries);
}

/** @param {string} file A declaration file. @param {Entries} entries @returns {ReadonlySet<string>} */
function exportsOf(file, entries) {
  const { staticExports } = parseSync(file, readFileSync(file, "utf8")).module;
  const names = staticExports.flatMap((statement) =>
    statement.entries.flatMap(({ exportName, moduleRequest }) => {
      if (exportName.name !== null) return [exportName.name];
      // `export *`
      const from = `${moduleRequest?.value}`;
      const types = entries.get(from)?.types ?? join(dirname(file), from.replace(/\.[jt]s$/, ".d.ts"));
      return [...exportsOf(types, entries)];
    }),
  );
  return new Set(names);
}

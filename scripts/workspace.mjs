// The packages of this workspace, as the folders of pnpm-workspace.yaml and their package.json files tell.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Manifest What the scripts read of a package.json.
 * @property {string} name
 * @property {string} [version]
 * @property {boolean} [private]
 * @property {readonly string[]} [os]
 * @property {string | Record<string, string>} [bin]
 * @property {Record<string, unknown>} [exports]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [optionalDependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, string>} [devDependencies]
 *
 * @typedef {object} Package
 * @property {string} folder From the root, with forward slashes: `packages/secrets-core`.
 * @property {Manifest} manifest
 */

/** The folder of this repository. */
export const repository = fileURLToPath(new URL("..", import.meta.url));

/**
 * The packages below `root`, by folder name. pnpm-workspace.yaml may name folders only in the form `packages/*`.
 *
 * @param {string} root
 * @returns {Package[]}
 */
export function readWorkspace(root) {
  return readGlobs(root).flatMap((parent) => {
    if (!existsSync(join(root, parent))) return [];
    return readdirSync(join(root, parent))
      .toSorted()
      .map((name) => `${parent}/${name}`)
      .filter((folder) => existsSync(join(root, folder, "package.json")))
      .map((folder) => ({ folder, manifest: readJson(join(root, folder, "package.json")) }));
  });
}

/** @param {string} root */
function readGlobs(root) {
  const text = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");
  const [, block = ""] = /^packages:\n((?: +- .*\n)*)/m.exec(text) ?? [];
  return block
    .trim()
    .split("\n")
    .map((line) => {
      const [, parent] = /^ *- (\w+)\/\*$/.exec(line) ?? [];
      if (parent === undefined) throw new Error(`pnpm-workspace.yaml: expected "- folder/*", found "${line.trim()}"`);
      return parent;
    });
}

/** @param {string} file */
export function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

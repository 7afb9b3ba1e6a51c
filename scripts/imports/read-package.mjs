import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { parseSync } from "oxc-parser";
import { findInputOutput, findSubtle } from "./find-globals.mjs";
import { findImports } from "./find-imports.mjs";
import { visitNodes } from "./syntax-tree.mjs";

/**
 * @typedef {{ name: string, line: number }} Use
 *
 * @typedef {object} Module
 * @property {string} file From the root, with forward slashes.
 * @property {{ specifier: string | null, line: number }[]} imports
 * @property {Use[]} inputOutput Globals that reach files, network, clock or randomness.
 * @property {Use[]} subtle Uses of WebCrypto.
 * @property {Use[]} errors What the parser could not read.
 *
 * @typedef {object} PackageSources A package and what its sources say.
 * @property {string} folder
 * @property {string} name
 * @property {import("../workspace.mjs").Manifest} manifest
 * @property {string} manifestText
 * @property {Module[]} modules
 */

export const moduleName = /\.[cm]?[jt]sx?$/;

/**
 * Reads and parses the sources of a package: everything in src/ and bin/.
 *
 * @param {string} root
 * @param {import("../workspace.mjs").Package} member
 * @returns {PackageSources}
 */
export function readPackage(root, { folder, manifest }) {
  const modules = ["src", "bin"]
    .map((name) => join(root, folder, name))
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && moduleName.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
    .toSorted()
    .map((file) => readModule(file, readFileSync(join(root, file), "utf8")));
  const manifestText = readFileSync(join(root, folder, "package.json"), "utf8");
  return { folder, name: manifest.name, manifest, manifestText, modules };
}

/**
 * @param {string} file
 * @param {string} source
 * @returns {Module}
 */
function readModule(file, source) {
  const { program, errors } = parseSync(file, source);
  const visits = [...visitNodes(program)];
  /** @param {{ name: string, start: number }} use */
  const toUse = ({ name, start }) => ({ name, line: lineAt(source, start) });
  return {
    file,
    imports: findImports(visits).map(({ specifier, start }) => ({ specifier, line: lineAt(source, start) })),
    inputOutput: findInputOutput(visits).map(toUse),
    subtle: findSubtle(visits).map(toUse),
    errors: errors.map(({ message, labels }) => toUse({ name: message, start: labels[0]?.start ?? 0 })),
  };
}

/**
 * @param {string} text
 * @param {number} offset
 */
export function lineAt(text, offset) {
  return text.slice(0, offset).split("\n").length;
}

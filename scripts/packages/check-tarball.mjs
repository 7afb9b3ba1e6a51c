import { mustRun } from "../run.mjs";

/** What a package may hold (FAULTS N4). Everything else is a key, a database, a test or a source until someone says why not. */
const WELCOME = [
  /^(package\.json|README\.md|LICENSE)$/,
  /^dist\/[\w./-]+\.(js|d\.ts)$/,
  /^dist\/THIRD_PARTY_\w+\.txt$/,
];
const UNWELCOME = /(^|\/)(\.|(fixtures?|__\w+__|tests?|src)\/)|\.(test|spec|bench)\./;
const REQUIRED = ["package.json", "README.md", "LICENSE"];

/**
 * What is wrong with the list of files of a package; empty where nothing is.
 *
 * @param {readonly string[]} files
 * @returns {string[]}
 */
export function checkFiles(files) {
  const lacking = REQUIRED.filter((name) => !files.includes(name)).map((name) => `${name} is not there`);
  if (!files.some((file) => file.startsWith("dist/"))) lacking.push("dist is not there");
  const odd = files.filter((file) => !WELCOME.some((form) => form.test(file)) || UNWELCOME.test(file));
  return [...lacking, ...odd.map((file) => `${file} does not belong there`)];
}

/**
 * Checks one tarball: its files, its manifest, publint, and the types where it can be imported. Throws an Error that says what is
 * wrong; returns the names of the checks.
 *
 * @param {import("./pack.mjs").Tarball} tarball
 * @returns {string[]}
 */
export function checkTarball({ path, files, manifest }) {
  const problems = [...checkFiles(files), ...checkManifest(manifest)];
  if (problems.length > 0) throw new Error(`${manifest.name}\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  mustRun("publint", [path, "--strict"]);
  if (manifest.exports === undefined) return ["files", "publint"];
  mustRun("attw", [path, "--profile", "esm-only", "--no-color"]);
  return ["files", "publint", "attw"];
}

/** @param {import("../workspace.mjs").Manifest} manifest */
function checkManifest(manifest) {
  const leftovers = ["workspace:", "catalog:", "@autokestra/source", "file:", "link:"];
  const text = JSON.stringify(manifest);
  const problems = leftovers
    .filter((word) => text.includes(`"${word}`))
    .map((word) => `package.json still says ${word}`);
  if (manifest.exports === undefined && manifest.bin === undefined)
    problems.push("it has neither exports nor a command");
  return problems;
}

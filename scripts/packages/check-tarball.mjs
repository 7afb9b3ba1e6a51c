import { mustRun } from "../run.mjs";

/** What a package may hold (FAULTS N4). Everything else is a key, a database or a test until someone says why not. */
const WELCOME = [
  /^(package\.json|README\.md|LICENSE)$/,
  // JSON Schema, for editors.
  /^schema\.json$/,
  /^dist\/[\w./-]+\.(c?js|d\.ts)(\.map)?$/,
  /^src\/[\w./-]+\.ts$/,
  /^src\/[\w./-]+\/README\.md$/,
  /^dist\/THIRD_PARTY_\w+\.txt$/,
];
const UNWELCOME = /(^|\/)(\.|(fixtures?|__\w+__|tests?)\/)|\.(test|spec|bench)\./;
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
  return [...lacking, ...checkMaps(files), ...odd.map((file) => `${file} does not belong there`)];
}

/**
 * A package of modules brings their sources, and maps from what is built to them: "go to definition" and stack traces lead there.
 *
 * @param {readonly string[]} files
 */
function checkMaps(files) {
  if (!files.some((file) => file.startsWith("src/"))) return [];
  const built = files.filter((file) => /^dist\/.*\.(js|d\.ts)$/.test(file));
  return built.flatMap((file) => {
    const source = file.replace(/^dist\/(.*?)\.(js|d\.ts)$/, "src/$1.ts");
    return [`${file}.map`, source].filter((name) => !files.includes(name)).map((name) => `${name} is not there`);
  });
}

/**
 * Checks one tarball: its files, its manifest, and publint and the types where it can be imported. Throws an Error that says what is
 * wrong; returns the names of the checks.
 *
 * @param {import("./pack.mjs").Tarball} tarball
 * @returns {string[]}
 */
export function checkTarball({ path, files, manifest }) {
  const problems = [...checkFiles(files), ...checkManifest(manifest)];
  if (problems.length > 0) throw new Error(`${manifest.name}\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  // Both judge how a package is imported. A command is run instead, by `try-command.mjs`; publint takes texts with the word "import" in
  // its CommonJS for modules.
  if (manifest.exports === undefined) return ["files"];
  mustRun("publint", [path, "--strict"]);
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

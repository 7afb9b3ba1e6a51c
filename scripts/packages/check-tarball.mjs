import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

/** What a package may hold (FAULTS N4). Everything else is a key, a database or a test until someone says why not. */
const WELCOME = [
  /^(package\.json|README\.md|LICENSE)$/,
  // JSON Schema, for editors.
  /^schema\.json$/,
  /^dist\/[\w./-]+\.(c?js|d\.ts)(\.map)?$/,
  /^src\/[\w./-]+\.ts$/,
  /^src\/[\w./-]+\/README\.md$/,
  /^dist\/THIRD_PARTY_\w+\.txt$/,
  // The page of the server.
  /^dist\/page\/(index\.html|icon\.svg|THIRD_PARTY_NOTICES\.txt|assets\/[\w-]+\.(js|css))$/,
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
  const built = files.filter((file) => /^dist\/(?!page\/).*\.(js|d\.ts)$/.test(file));
  return built.flatMap((file) => {
    const source = file.replace(/^dist\/(.*?)\.(js|d\.ts)$/, "src/$1.ts");
    return [`${file}.map`, source].filter((name) => !files.includes(name)).map((name) => `${name} is not there`);
  });
}

/**
 * Checks one tarball: its files, its manifest, and with publint and attw how it is imported. Throws an Error that says what is wrong;
 * returns the names of the checks.
 *
 * @param {import("./pack.mjs").Tarball} tarball
 * @returns {Promise<string[]>}
 */
export async function checkTarball({ path, files, manifest }) {
  const problems = [...checkFiles(files), ...checkManifest(manifest)];
  // A command is not imported but run, by `try-command.mjs`; publint takes texts with the word "import" in its CommonJS for modules.
  const isImported = manifest.exports !== undefined;
  if (isImported) problems.push(...(await checkImports(readFileSync(path))));
  if (problems.length > 0) throw new Error(`${manifest.name}\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  return isImported ? ["files", "publint", "attw"] : ["files"];
}

/**
 * What publint and attw find wrong with a package of modules. In one process for all packages: their commands take seconds to start.
 *
 * @param {Uint8Array<ArrayBuffer>} tarball
 * @returns {Promise<string[]>}
 */
async function checkImports(tarball) {
  const { messages, pkg } = await publint({ pack: { tarball: Uint8Array.from(tarball).buffer }, strict: true });
  const errors = messages.filter(({ type }) => type === "error");
  const analysis = await checkPackage(createPackageFromTarballData(tarball));
  if (!analysis.types) return ["attw: it has no types"];
  // Modules alone: nobody who uses require() or the resolution of Node 10 is promised anything.
  const others = ["node10", "node16-cjs"];
  const wrong = analysis.problems.filter(
    (problem) => !("resolutionKind" in problem) || !others.includes(problem.resolutionKind),
  );
  return [
    ...errors.map((message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`),
    ...wrong.map((problem) => `attw: ${JSON.stringify(problem)}`),
  ];
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

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../run.mjs";
import { repository } from "../workspace.mjs";
import { consumerEnvironment } from "./consumer-environment.mjs";
import { installAlone } from "./install-tarballs.mjs";

/**
 * @typedef {object} Sample Code that the documentation of a package shows.
 * @property {string} name Of the file it is checked in, for messages: `README-1`, or `src-masker-40` for line 40 of
 * src/masker.ts.
 * @property {string} code
 * @property {boolean} isRun False: it is only compiled.
 * @property {string} [expected] All that it prints. Default: anything.
 */

/** A sample of a README, and the output that follows it, if one does. */
const README_SAMPLE = /^```ts\n([\s\S]*?)^```\n(?:\n```\n([\s\S]*?)^```$)?/gm;

const DOCSTRING = /\/\*\*[\s\S]*?\*\//g;

/** An example of a docstring. What needs a terminal, a network or endless time has `no-run` behind the language. */
const EXAMPLE = /^@example\b.*\n+```ts( no-run)?\n([\s\S]*?)^```$/gm;

/** What an example says of a line that it prints: `console.log(text); // prints ***SECRET***`. */
const PRINTS = /\/\/ prints (.*)$/gm;

const CHECK = ["--strict", "--module", "nodenext", "--target", "es2023", "--lib", "es2023,dom", "--skipLibCheck"];

/** Test frameworks are the reader's own: a sample with one is not checked. */
const FOREIGN = /from "vitest"/;

const RUNNER = "run-all.mjs";

/** Begins each sample where the one before has nothing left to wait for, and says so with a null character. */
const RUN_ALL = `
import { writeSync } from "node:fs";
const names = process.argv.slice(2);
let running;
process.on("beforeExit", () => {
  if (running !== undefined) throw new Error(running + " does not come to its end");
  if (names.length > 0) setImmediate(run);
});
async function run() {
  running = names.shift();
  writeSync(1, "\\0");
  await import("./" + running + ".mjs");
  running = undefined;
}`;

/**
 * Checks the samples of each package that can be imported, where that package is installed alone. Returns how many there
 * are, and how many of them were run.
 *
 * @param {string} folder
 * @param {string} consumer Where all packages are installed.
 * @param {readonly import("./pack.mjs").Tarball[]} tarballs
 * @param {readonly (readonly string[])[]} compilers What Node is told to run each; the last one's output is run.
 */
export function runSamples(folder, consumer, tarballs, compilers) {
  const libraries = tarballs.filter(({ manifest }) => manifest.exports !== undefined);
  const installs = libraries.map(({ manifest: { name } }) => {
    const place = join(folder, `alone-${name.replace(/.*\//, "")}`);
    installAlone(place, name, consumer);
    return { place, name };
  });
  const samples = checkSamples(folder, installs, compilers);
  return { checked: samples.length, run: samples.filter(({ isRun }) => isRun).length };
}

/**
 * Type-checks the samples of the READMEs and the examples of the docstrings of installed packages: all at once, with every compiler.
 * Runs the first sample of each README and all examples that are not marked `no-run`, and compares what they print with what the
 * documentation says. Throws an Error that names the sample.
 *
 * @param {string} folder In which all of them are installed.
 * @param {readonly { place: string, name: string }[]} installs Packages, and the folder in which each is installed.
 * @param {readonly (readonly string[])[]} compilers
 * @returns {readonly Sample[]}
 */
export function checkSamples(folder, installs, compilers) {
  const samples = installs.flatMap(({ place, name }) =>
    readSamples(join(place, "node_modules", name), name).map((sample) => ({ place, package: name, ...sample })),
  );
  const files = samples.map(({ place, name, code }) => {
    const file = join(place, `${name}.mts`);
    writeFileSync(file, code);
    return file;
  });
  const types = ["--types", "node", "--typeRoots", join(repository, "node_modules", "@types")];
  for (const compiler of compilers) mustRun("node", [...compiler, ...CHECK, ...types, ...files], { cwd: folder });
  for (const { place } of installs) {
    runAll(
      place,
      samples.filter((sample) => sample.place === place && sample.isRun),
    );
  }
  return samples;
}

/**
 * @param {string} root Of an installed package.
 * @param {string} name
 * @returns {readonly Sample[]}
 */
function readSamples(root, name) {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  return [
    ...readmeSamples(name, readFileSync(join(root, "README.md"), "utf8")),
    ...sources.toSorted().flatMap((file) => examplesOf(`src/${file}`, readFileSync(join(root, "src", file), "utf8"))),
  ];
}

/**
 * Runs samples of one package, one after the other in one process: loading the package takes longer than most of them.
 *
 * @param {string} place
 * @param {readonly (Sample & { package: string })[]} samples
 */
function runAll(place, samples) {
  writeFileSync(join(place, RUNNER), RUN_ALL);
  const args = [RUNNER, ...samples.map(({ name }) => name)];
  const [, ...printed] = mustRun("node", args, { cwd: place, env: consumerEnvironment(place) }).split("\0");
  for (const [index, { name, package: of, expected }] of samples.entries()) {
    if (expected === undefined || printed[index] === expected) continue;
    throw new Error(`${name} of ${of} says that it prints\n${expected}and prints\n${printed[index]}`);
  }
}

/**
 * The samples of a README, of which the first is run: its output must follow it.
 *
 * @param {string} name
 * @param {string} text
 * @returns {readonly Sample[]}
 */
function readmeSamples(name, text) {
  const found = [...text.matchAll(README_SAMPLE)].filter(([, code = ""]) => !FOREIGN.test(code));
  if (found[0]?.[2] === undefined) throw new Error(`the README of ${name} has no sample with its output`);
  return found.map(([, code = "", expected], index) => {
    const sample = { name: `README-${index + 1}`, code, isRun: index === 0 };
    return expected === undefined ? sample : { ...sample, expected };
  });
}

/**
 * The examples of the docstrings of one source file.
 *
 * @param {string} file From the root of the package: `src/masker.ts`.
 * @param {string} source
 * @returns {readonly Sample[]}
 */
export function examplesOf(file, source) {
  return [...source.matchAll(DOCSTRING)].flatMap(({ 0: docstring, index }) => {
    const text = docstring.replace(/^ *\/\*\*[^\S\n]*|\*\/$/g, "").replace(/^[^\S\n]*\*[^\S\n]?/gm, "");
    const line = source.slice(0, index).split("\n").length;
    const found = [...text.matchAll(EXAMPLE)];
    if (found.length !== (text.match(/^@example\b/gm) ?? []).length) {
      throw new Error(`${file}:${line} has an @example without a block of code: \`\`\`ts, or \`\`\`ts no-run`);
    }
    return found.map(({ 1: marker, 2: code = "", index: start }) => {
      const name = `${file.replace(/\.ts$/, "").replaceAll("/", "-")}-${line + text.slice(0, start).split("\n").length - 1}`;
      const lines = [...code.matchAll(PRINTS)].map(([, expected]) => `${expected}\n`);
      const sample = { name, code, isRun: marker === undefined };
      return lines.length === 0 ? sample : { ...sample, expected: lines.join("") };
    });
  });
}

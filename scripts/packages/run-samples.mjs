import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../run.mjs";
import { repository } from "../workspace.mjs";
import { consumerEnvironment } from "./consumer-environment.mjs";
import { installAlone } from "./install-tarballs.mjs";

/** A sample of a README, and the output that follows it, if one does. */
const SAMPLE = /^```ts\n([\s\S]*?)^```\n(?:\n```\n([\s\S]*?)^```$)?/gm;

const CHECK = ["--strict", "--module", "nodenext", "--target", "es2023", "--lib", "es2023,dom", "--skipLibCheck"];

/** Test frameworks are the reader's own: a sample with one is not checked. */
const FOREIGN = /from "vitest"/;

/**
 * Type-checks all samples of each README with every compiler, in an install of that package alone, runs the first, and compares what it
 * prints with what the README says. Every package that can be imported must have one. Returns how many samples there are.
 *
 * @param {string} folder
 * @param {readonly import("./pack.mjs").Tarball[]} tarballs
 * @param {readonly string[]} compilers Paths of `tsc`; the last one's output is run.
 * @returns {number}
 */
export function runSamples(folder, tarballs, compilers) {
  const libraries = tarballs.filter(({ manifest }) => manifest.exports !== undefined);
  return libraries.reduce((count, { manifest }) => {
    const place = join(folder, `alone-${manifest.name.replace(/.*\//, "")}`);
    mkdirSync(place);
    installAlone(place, manifest.name, tarballs);
    const readme = readFileSync(join(place, "node_modules", manifest.name, "README.md"), "utf8");
    const samples = [...readme.matchAll(SAMPLE)].filter(([, code = ""]) => !FOREIGN.test(code));
    const [, , expected] = samples[0] ?? [];
    if (samples.length === 0) throw new Error(`the README of ${manifest.name} has no sample`);
    for (const [index, [, code = ""]] of samples.entries()) writeFileSync(join(place, `sample${index}.mts`), code);
    const files = samples.map((_, index) => `sample${index}.mts`);
    const types = ["--types", "node", "--typeRoots", join(repository, "node_modules", "@types")];
    for (const tsc of compilers) mustRun("node", [tsc, ...CHECK, ...types, ...files], { cwd: place });
    const printed = mustRun("node", ["sample0.mjs"], { cwd: place, env: consumerEnvironment(place) });
    if (printed === "" || (expected !== undefined && printed !== expected)) {
      throw new Error(
        `the README of ${manifest.name} says\n${expected ?? "something"}and its sample prints\n${printed}`,
      );
    }
    return count + samples.length;
  }, 0);
}

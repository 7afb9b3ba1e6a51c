import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../run.mjs";
import { consumerEnvironment } from "./consumer-environment.mjs";

/** The first sample of a README, and the output that follows it, if one does. */
const SAMPLE = /^```ts\n([\s\S]*?)^```\n(?:\n```\n([\s\S]*?)^```$)?/m;

/**
 * Runs the first sample of each README as plain JavaScript, and compares what it prints with what the README says. Every package
 * that can be imported must have one. Returns how many there are.
 *
 * @param {string} folder Where the packages are installed.
 * @param {readonly import("./pack.mjs").Tarball[]} tarballs
 * @returns {number}
 */
export function runSamples(folder, tarballs) {
  const libraries = tarballs.filter(({ manifest }) => manifest.exports !== undefined);
  for (const { manifest } of libraries) {
    const readme = readFileSync(join(folder, "node_modules", manifest.name, "README.md"), "utf8");
    const [, sample, expected] = SAMPLE.exec(readme) ?? [];
    if (sample === undefined) throw new Error(`the README of ${manifest.name} has no sample`);
    const place = join(folder, `sample-${manifest.name.replace(/.*\//, "")}`);
    mkdirSync(place);
    writeFileSync(join(place, "sample.mjs"), sample);
    const printed = mustRun("node", ["sample.mjs"], { cwd: place, env: consumerEnvironment(folder) });
    if (printed === "" || (expected !== undefined && printed !== expected)) {
      throw new Error(
        `the README of ${manifest.name} says\n${expected ?? "something"}and its sample prints\n${printed}`,
      );
    }
  }
  return libraries.length;
}

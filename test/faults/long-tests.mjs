// The unit tests that `npm test` leaves out or cuts short: those that kill, stop, race or attack, and those that try fewer orders, cuts, sizes
// and inputs there, here with all of them, and property tests with four times as many inputs. The long form does so with all property
// tests, and tries other inputs too.
import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countTests, FAULTS_ALONE, summaryOf } from "../../scripts/count-tests.mjs";
import { outputOf, run, toolEnvironment } from "../../scripts/run.mjs";

/** @type {readonly (readonly [id: string, ...files: string[]])[]} */
const TESTS = [
  ["C7", "packages/secrets-crypto/test/aes-gcm"],
  ["D7", "packages/secrets-store-sqlite/test/damage"],
  ["K10, K30", "apps/cli/test/echo"],
  ["R1-R17", "packages/engine/test/workflow/parse-workflow"],
  [
    "K28, KP1",
    "packages/engine/test/graph/draw-workflow",
    "packages/engine/test/run/cut-values",
    "packages/engine/test/run/failures",
    "packages/engine/test/run/for-each",
  ],
  ["M5, M7", "packages/secrets-masker/"],
];

const SHORT = process.argv.includes("--short");

/** Of the inputs of property tests. */
const seed = randomInt(2 ** 31);

const folder = mkdtempSync(join(tmpdir(), "autokestra-long-"));
/** With a tag of a file, or of a test. */
const faults = filesWith('@module-tag faults|tags: \\["faults"\\]');
const propertyTests = filesWith('from "fast-check"');
const rows = [
  rowOf("C4-W19", "tests tagged as faults", [FAULTS_ALONE, ...faults]),
  ...TESTS.map(([id, ...files]) => rowOf(id, files.join(", "), files)),
];
const others = propertyTests.filter((file) => !TESTS.some(([, ...files]) => files.some((one) => file.startsWith(one))));
if (!SHORT) {
  rows.push(
    rowOf("C5, M5", "all other property tests", others),
    rowOf("C5, M5", `property tests, seed ${seed}`, propertyTests, { PROPERTY_SEED: String(seed) }),
  );
}
rmSync(folder, { recursive: true });
console.log(JSON.stringify(rows));

/**
 * @param {string} id
 * @param {string} name
 * @param {readonly string[]} args For vitest.
 * @param {Record<string, string>} [more] For the environment.
 */
function rowOf(id, name, args, more = {}) {
  const report = join(folder, "report.json");
  const reports = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const outcome = run("vitest", ["run", ...reports, ...args], {
    env: { ...toolEnvironment(), LONG_TESTS: "true", ...more },
  });
  if (!outcome.ok) return { id, figure: `${name}: ${outputOf(outcome)}`, pass: false };
  const filter = args.find((arg) => arg === FAULTS_ALONE);
  const counts = countTests(JSON.parse(readFileSync(report, "utf8")), filter);
  return { id, figure: `${name}: ${summaryOf(counts, []).at(-1)}`, pass: counts.passed > 0 && counts.failed === 0 };
}

/** @param {string} pattern */
function filesWith(pattern) {
  const paths = ["packages", "apps", "scripts"].map((place) => `${place}/*.test.ts`);
  return outputOf(run("git", ["grep", "-lE", pattern, "--", ...paths]))
    .trim()
    .split("\n");
}

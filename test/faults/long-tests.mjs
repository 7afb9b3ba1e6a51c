// C5, C7, D16, D21, K2, K10, K15, K28, K30, K32, K34, KP1, M5, M7, R1-R17, W2: the unit tests that try fewer orders, cuts, sizes, inputs and
// processes than there are, here with all of them, and property tests with four times as many inputs. The long form does so with all
// property tests, and tries other inputs too.
import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countTests, summaryOf } from "../../scripts/count-tests.mjs";
import { outputOf, run, toolEnvironment } from "../../scripts/run.mjs";

/** @type {readonly (readonly [id: string, ...files: string[]])[]} */
const TESTS = [
  ["K2, K34", "packages/secrets/test/interleavings"],
  ["C5, D16", "packages/secrets/test/attacks", "packages/secrets/test/header-attacks"],
  ["C7", "packages/secrets-crypto/test/aes-gcm"],
  ["W2", "packages/server/test/raw-requests"],
  ["K15", "packages/secrets/test/resumed-rotation", "apps/cli/test/rotation"],
  ["D16, D21", "packages/secrets-store-sqlite/test/damage", "packages/secrets-store-sqlite/test/schema"],
  ["D21", "packages/private-files/test/create-private-file"],
  ["K10, K30", "apps/cli/test/echo"],
  ["R1-R17", "packages/engine/test/workflow/parse-workflow"],
  [
    "K28, KP1",
    "packages/engine/test/graph/draw-workflow",
    "packages/engine/test/run/cut-values",
    "packages/engine/test/run/failures",
    "packages/engine/test/run/for-each",
  ],
  ["K32", "packages/runs/test/locked-history", "packages/server/test/event-stream"],
  ["M5, M7", "packages/secrets-masker/"],
];

const SHORT = process.argv.includes("--short");

/** Of the inputs of property tests. */
const seed = randomInt(2 ** 31);

const folder = mkdtempSync(join(tmpdir(), "autokestra-long-"));
const rows = TESTS.map(([id, ...files]) => rowOf(id, files.join(", "), files, { LONG_TESTS: "true" }));
const others = propertyTests().filter(
  (file) => !TESTS.some(([, ...files]) => files.some((one) => file.startsWith(one))),
);
if (!SHORT) {
  rows.push(
    rowOf("C5, M5", "all other property tests", others, { LONG_TESTS: "true" }),
    rowOf("C5, M5", `property tests, seed ${seed}`, propertyTests(), {
      LONG_TESTS: "true",
      PROPERTY_SEED: String(seed),
    }),
  );
}
rmSync(folder, { recursive: true });
console.log(JSON.stringify(rows));

/**
 * @param {string} id
 * @param {string} name
 * @param {readonly string[]} files
 * @param {Record<string, string>} env
 */
function rowOf(id, name, files, env) {
  const report = join(folder, "report.json");
  const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...files];
  const outcome = run("vitest", args, { env: { ...toolEnvironment(), ...env } });
  if (!outcome.ok) return { id, figure: `${name}: ${outputOf(outcome)}`, pass: false };
  const counts = countTests(JSON.parse(readFileSync(report, "utf8")));
  return { id, figure: `${name}: ${summaryOf(counts, []).at(-1)}`, pass: counts.passed > 0 && counts.failed === 0 };
}

function propertyTests() {
  return outputOf(run("git", ["grep", "-l", 'from "fast-check"', "--", "packages/*.test.ts", "apps/*.test.ts"]))
    .trim()
    .split("\n");
}

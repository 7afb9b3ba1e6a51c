// `npm test`: everything that must hold, one part after the other, up to the first that fails.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { countTests, NONE, summaryOf } from "./count-tests.mjs";
import { runInside } from "./outside.mjs";
import { npxPnpm } from "./pnpm.mjs";
import { outputOf, run } from "./run.mjs";

const UNIT_TESTS = "unit tests";

/**
 * Each part is one call of pnpm; all but the first are scripts of package.json. The unit tests run without pnpm: runUnitTests.
 *
 * @type {readonly (readonly [name: string, ...command: string[]])[]}
 */
export const parts = [
  ["install", "install", "--frozen-lockfile"],
  ["build", "build"],
  ["format", "lint:format"],
  ["lint", "lint"],
  ["rooms", "lint:rooms"],
  ["unused code", "lint:unused"],
  ["supply chain", "lint:supply-chain"],
  ["types", "typecheck"],
  [UNIT_TESTS, "test:unit"],
  ["packages", "test:pack"],
];

/**
 * Runs all parts; returns the exit code.
 *
 * @param {string} report Where vitest writes its report.
 */
function runParts(report) {
  const start = performance.now();
  let counts = NONE;
  let passed = 0;
  let status = 0;
  for (const [name, ...command] of parts) {
    let outcome;
    if (name === UNIT_TESTS) ({ outcome, counts } = runUnitTests(report));
    else outcome = run("npx", [...npxPnpm, ...command]);
    if (!outcome.ok) console.log(outputOf(outcome));
    console.log(`${outcome.ok ? "ok    " : "FAILED"}  ${name.padEnd(14)}${outcome.seconds.toFixed(1).padStart(7)} s`);
    if (!outcome.ok) {
      status = outcome.status || 1;
      break;
    }
    passed += 1;
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`\n${passed} of ${parts.length} parts passed in ${seconds} s; unit tests:`);
  for (const line of summaryOf(counts)) console.log(line);
  return status;
}

/**
 * Runs vitest without pnpm, which would make folders of its own in the private home. They pass where some have passed, none has
 * failed, and nothing has changed outside.
 *
 * @param {string} report
 */
function runUnitTests(report) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const { result: outcome, problems } = runInside((env) => run("vitest", ["run", ...reporters], { env }));
  const counts = readCounts(report);
  const ok = outcome.ok && counts.passed > 0 && counts.failed === 0;
  if (ok && problems.length > 0) return { counts, outcome: { ...outcome, ok: false, stdout: problems.join("\n") } };
  return { counts, outcome: { ...outcome, ok, stderr: [outcome.stderr, ...problems].join("\n") } };
}

/**
 * @param {string} report Not there where vitest did not come to an end: then nothing has passed.
 */
function readCounts(report) {
  try {
    return countTests(JSON.parse(readFileSync(report, "utf8")));
  } catch {
    return NONE;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-test-"));
  try {
    process.exitCode = runParts(join(folder, "report.json"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

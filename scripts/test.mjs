// `npm test`: everything that must hold, one part after the other, up to the first that fails.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { countTests } from "./count-tests.mjs";
import { npxPnpm } from "./pnpm.mjs";
import { outputOf, run } from "./run.mjs";

const UNIT_TESTS = "unit tests";

/**
 * Each part is one call of pnpm; all but the first are scripts of package.json.
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
  let counts = { passed: 0, failed: 0 };
  let passed = 0;
  let status = 0;
  for (const [name, ...command] of parts) {
    const isUnitTests = name === UNIT_TESTS;
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const outcome = run("npx", [...npxPnpm, ...command, ...(isUnitTests ? reporters : [])]);
    if (isUnitTests) counts = readCounts(report);
    const ok = outcome.ok && !(isUnitTests && (counts.passed === 0 || counts.failed > 0));
    if (!ok) console.log(outputOf(outcome));
    console.log(`${ok ? "ok    " : "FAILED"}  ${name.padEnd(14)}${outcome.seconds.toFixed(1).padStart(7)} s`);
    if (!ok) {
      status = outcome.status || 1;
      break;
    }
    passed += 1;
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`\n${passed} of ${parts.length} parts passed in ${seconds} s; unit tests:`);
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return status;
}

/**
 * @param {string} report Not there where vitest did not come to an end: then nothing has passed.
 */
function readCounts(report) {
  try {
    return countTests(JSON.parse(readFileSync(report, "utf8")));
  } catch {
    return { passed: 0, failed: 0 };
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

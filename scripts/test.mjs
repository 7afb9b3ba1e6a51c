// `npm test`: what must hold after each change. Installs and builds, then runs the unit tests beside all other checks. Tests that inject
// faults are left to `npm run faults`.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { countTests, NONE, summaryOf, WITHOUT_FAULTS } from "./count-tests.mjs";
import { fastFolder, privateEnvironment, runInside } from "./outside.mjs";
import { npxPnpm } from "./pnpm.mjs";
import { outputOf, runBeside, toolEnvironment } from "./run.mjs";
import { neededByTests } from "./servers/installation.mjs";
import { readJson, repository } from "./workspace.mjs";

/**
 * @typedef {import("./run.mjs").Outcome} Outcome
 * @typedef {readonly [name: string, ...command: string[]]} Part
 */

/** What all others need, as a call of pnpm. @type {readonly string[]} */
export const installation = ["install", "--frozen-lockfile"];

/**
 * What runs beside the unit tests, in a home of its own, because biome makes a cache there: scripts of package.json.
 *
 * @type {readonly (readonly [name: string, script: string])[]}
 */
const checks = [
  ["format", "lint:format"],
  // The types, too.
  ["lint", "lint"],
  ["imports", "lint:imports"],
  ["unused code", "lint:unused"],
  ["supply chain", "lint:supply-chain"],
];

/** The same, with npm, which has its settings and its cache in the home of the user who runs it. */
const packageCheck = scriptOf(["packages", "test:pack"]);

/**
 * The compiler and the linter are written in Go, which collects their memory in a third of their time: they take up to 4 GB instead, where
 * there is enough, also in a container.
 */
const SPARE_TIME = process.availableMemory() > 15e9 ? { GOGC: "off", GOMEMLIMIT: "6GiB" } : { GOGC: "400" };

/** What runs beside the unit tests has one thread of Go: others would look at the same types again. */
const ONE_THREAD = { GOMAXPROCS: "1" };

/** The same for the garbage of tests, in megabytes. An option, because the processes that tests start would inherit a variable. */
const ROOM_FOR_YOUNG = ["--max-semi-space-size=64"];

/**
 * Node.js 20 has only one optimizing compiler, a slow one, and most of what tests call runs too seldom to earn its time back. It is used
 * ten times later here: a fifth less CPU time. Later versions have a fast one before it, and other options.
 */
const OPTIMIZE_LATER = process.versions.node.startsWith("20.")
  ? ["--interrupt-budget=700000", "--always-sparkplug"]
  : [];

const VITEST = join(repository, "node_modules", "vitest", "vitest.mjs");

/**
 * Runs everything; returns the exit code.
 *
 * @param {string} folder For the home of the checks and the report of vitest.
 */
async function runAll(folder) {
  const report = join(folder, "report.json");
  const start = performance.now();
  const isPrepared = await runInOrder([["install", "npx", ...npxPnpm, ...installation], scriptOf(["build", "build"])]);
  const results = isPrepared ? await Promise.all([runUnitTests(report), runChecks(folder)]) : [];
  const counts = readCounts(report);
  const missing = neededByTests().filter(({ installed }) => !installed);
  const isComplete = missing.length === 0 || process.env["CI"] !== "true";
  if (!isComplete) console.log("FAILED  servers       with CI=true, all must be installed");
  const hasPassed = isPrepared && isComplete && results.every(Boolean);
  console.log(
    `\n${hasPassed ? "passed" : "FAILED"} after ${((performance.now() - start) / 1000).toFixed(0)} s; unit tests:`,
  );
  for (const line of summaryOf(counts, missing)) console.log(line);
  return hasPassed ? 0 : 1;
}

/**
 * A script of package.json without npx and pnpm, which take seconds to start.
 *
 * @param {readonly [name: string, script: string]} check
 * @returns {Part}
 */
function scriptOf([name, script]) {
  return [name, "sh", "-c", readJson(join(repository, "package.json")).scripts[script]];
}

/**
 * Runs parts one after the other, up to the first that fails.
 *
 * @param {readonly Part[]} parts
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<boolean>} Whether all have passed.
 */
async function runInOrder(parts, env = toolEnvironment()) {
  for (const [name, command = "", ...args] of parts) {
    if (!tell(name, await runBeside(command, args, { env: { ...env, ...SPARE_TIME } }))) return false;
  }
  return true;
}

/** @param {string} folder */
async function runChecks(folder) {
  const env = { ...privateEnvironment(folder, tmpdir()), ...ONE_THREAD };
  const results = await Promise.all([runInOrder(checks.map(scriptOf), env), runInOrder([packageCheck])]);
  return results.every(Boolean);
}

/**
 * Runs vitest without pnpm, which would make folders of its own in the private home. The tests pass where some have passed, none has
 * failed, and nothing has changed outside.
 *
 * @param {string} report
 */
async function runUnitTests(report) {
  const reports = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = [...ROOM_FOR_YOUNG, ...OPTIMIZE_LATER, VITEST, "run", WITHOUT_FAULTS, ...reports];
  const work = async (/** @type {NodeJS.ProcessEnv} */ env) => await runBeside("node", args, { env });
  const { result: outcome, problems } = await runInside(work, undefined, fastFolder());
  const { passed, failed } = readCounts(report);
  const ok = outcome.ok && passed > 0 && failed === 0 && problems.length === 0;
  const said = outcome.ok && passed > 0 && failed === 0 ? "" : outcome.stdout;
  return tell("unit tests", { ...outcome, ok, stdout: said, stderr: [outcome.stderr, ...problems].join("\n") });
}

/**
 * Prints how a part went, and where it failed what it said; returns whether it passed.
 *
 * @param {string} name
 * @param {Outcome} outcome
 */
function tell(name, outcome) {
  if (!outcome.ok) console.log(outputOf(outcome));
  console.log(`${outcome.ok ? "ok    " : "FAILED"}  ${name.padEnd(14)}${outcome.seconds.toFixed(1).padStart(7)} s`);
  return outcome.ok;
}

/**
 * @param {string} report Missing if vitest did not finish: then nothing has passed.
 */
function readCounts(report) {
  try {
    return countTests(JSON.parse(readFileSync(report, "utf8")), WITHOUT_FAULTS);
  } catch {
    return NONE;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-test-"));
  try {
    process.exitCode = await runAll(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

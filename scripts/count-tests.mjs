import { relative } from "node:path";
import { repository } from "./workspace.mjs";

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {number} leftOut Those that vitest was told to leave out.
 * @property {readonly string[]} skipped File and name of each other test that was not run.
 *
 * @typedef {object} Report What is read of the report of vitest's reporter `json`.
 * @property {boolean} success
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {{ name: string, status: string, assertionResults: Test[] }[]} testResults One for each file; `name` is its path.
 *
 * @typedef {{ status: string, tags: string[], ancestorTitles: string[], title: string }} Test
 */

/** What vitest is told to run all but the tests that inject faults, or those alone. */
export const WITHOUT_FAULTS = "--tags-filter=!faults";
export const FAULTS_ALONE = "--tags-filter=faults";

/** No test at all. @type {Counts} */
export const NONE = { passed: 0, failed: 0, leftOut: 0, skipped: [] };

/**
 * Counts passed and failed tests, and names the skipped ones: all that neither passed nor failed. A file that breaks outside of
 * its tests counts as one failure, and so does an error in no file: a run that did not succeed never has 0 failures.
 *
 * @param {Report} report
 * @param {string} [filter] What vitest was told: tests that it left out are counted, not named.
 * @returns {Counts}
 */
export function countTests({ success, numPassedTests, numFailedTests, testResults }, filter) {
  const broken = testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed"),
  );
  const failed = numFailedTests + broken.length;
  const notRun = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status !== "passed" && status !== "failed")
      .map((test) => ({ name, ...test })),
  );
  const leftOut = notRun.filter(({ tags }) => filter === (tags.includes("faults") ? WITHOUT_FAULTS : FAULTS_ALONE));
  const skipped = notRun
    .filter((test) => !leftOut.includes(test))
    .map(({ name, ancestorTitles, title }) => [relative(repository, name), ...ancestorTitles, title].join(" > "));
  return { passed: numPassedTests, failed: success ? failed : Math.max(failed, 1), leftOut: leftOut.length, skipped };
}

/**
 * The summary of `npm test`: the servers, or the browser, whose tests were not run, the tests that inject faults, the skipped tests by name,
 * and the counts as its last line.
 *
 * @param {Counts} counts
 * @param {readonly Pick<import("./servers/installation.mjs").Needed, "title" | "install">[]} missing What is not installed.
 * @returns {string[]} Lines.
 */
export function summaryOf({ passed, failed, leftOut, skipped }, missing) {
  return [
    ...missing.map(({ title, install }) => `not run  what needs ${title}, which is not installed: ${install}`),
    ...(leftOut > 0 ? [`not run  ${leftOut} tests that kill, stop, race or attack: npm run faults -- --short`] : []),
    ...skipped.map((name) => `skipped  ${name}`),
    `${passed} passed, ${failed} failed, ${skipped.length} skipped`,
  ];
}

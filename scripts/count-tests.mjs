import { relative } from "node:path";
import { repository } from "./workspace.mjs";

/**
 * @typedef {{ passed: number, failed: number, skipped: readonly string[] }} Counts `skipped`: file and name of each test.
 *
 * @typedef {object} Report What is read of the report of vitest's reporter `json`.
 * @property {boolean} success
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {{ name: string, status: string, assertionResults: Test[] }[]} testResults One for each file; `name` is its path.
 *
 * @typedef {{ status: string, ancestorTitles: string[], title: string }} Test
 */

/** No test at all. @type {Counts} */
export const NONE = { passed: 0, failed: 0, skipped: [] };

/**
 * Counts passed and failed tests, and names the skipped ones: all that neither passed nor failed. A file that breaks outside of
 * its tests counts as one failure, and so does an error in no file: a run that did not succeed never has 0 failures.
 *
 * @param {Report} report
 * @returns {Counts}
 */
export function countTests({ success, numPassedTests, numFailedTests, testResults }) {
  const broken = testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed"),
  );
  const failed = numFailedTests + broken.length;
  const skipped = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status !== "passed" && status !== "failed")
      .map(({ ancestorTitles, title }) => [relative(repository, name), ...ancestorTitles, title].join(" > ")),
  );
  return { passed: numPassedTests, failed: success ? failed : Math.max(failed, 1), skipped };
}

/**
 * The summary of `npm test`: the servers, or the browser, whose tests were not run, the skipped tests by name, and the counts as its last line.
 *
 * @param {Counts} counts
 * @param {readonly Pick<import("./servers/installation.mjs").Needed, "title" | "install">[]} missing What is not installed.
 * @returns {string[]} Lines.
 */
export function summaryOf({ passed, failed, skipped }, missing) {
  return [
    ...missing.map(({ title, install }) => `not run  what needs ${title}, which is not installed: ${install}`),
    ...skipped.map((name) => `skipped  ${name}`),
    `${passed} passed, ${failed} failed, ${skipped.length} skipped`,
  ];
}

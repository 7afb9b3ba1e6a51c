/**
 * @typedef {{ passed: number, failed: number }} Counts
 *
 * @typedef {object} Report What is read of the report of vitest's reporter `json`.
 * @property {boolean} success
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {{ status: string, assertionResults: { status: string }[] }[]} testResults One for each file.
 */

/**
 * Counts passed and failed tests. A file that breaks outside of its tests counts as one failure, and so does an error in no file: a
 * run that did not succeed never has 0 failures.
 *
 * @param {Report} report
 * @returns {Counts}
 */
export function countTests({ success, numPassedTests, numFailedTests, testResults }) {
  const broken = testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed"),
  );
  const failed = numFailedTests + broken.length;
  return { passed: numPassedTests, failed: success ? failed : Math.max(failed, 1) };
}

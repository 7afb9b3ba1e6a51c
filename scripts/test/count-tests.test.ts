import { expect, it } from "vitest";
import { countTests } from "../count-tests.mjs";

const good = { status: "passed", assertionResults: [{ status: "passed" }] };
const bad = { status: "failed", assertionResults: [{ status: "passed" }, { status: "failed" }] };
const broken = { status: "failed", assertionResults: [] };
const brokenHook = { status: "failed", assertionResults: [{ status: "skipped" }] };

it.each([
  ["all is well", true, 2, 0, [good, good], { passed: 2, failed: 0 }],
  ["a test fails", false, 2, 1, [good, bad], { passed: 2, failed: 1 }],
  ["files break", false, 1, 0, [good, broken, brokenHook], { passed: 1, failed: 2 }],
  ["a test fails and a file breaks", false, 1, 1, [bad, broken], { passed: 1, failed: 2 }],
  ["an error comes after the tests", false, 1, 0, [good], { passed: 1, failed: 1 }],
])("counts when %s", (_, success, numPassedTests, numFailedTests, testResults, expected) => {
  expect(countTests({ success, numPassedTests, numFailedTests, testResults })).toEqual(expected);
});

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { countTests, FAULTS_ALONE, NONE, summaryOf, WITHOUT_FAULTS } from "../count-tests.mjs";
import { repository } from "../workspace.mjs";

/** A file of the report, with one test of each status. */
function file(status: string, ...statuses: string[]) {
  const tests = statuses.map((each) => ({
    status: each,
    tags: ["slow"],
    ancestorTitles: ["a store"],
    title: `is ${each}`,
  }));
  return { name: join(repository, "packages/a/test/a.test.ts"), status, assertionResults: tests };
}

const good = file("passed", "passed");
const bad = file("failed", "passed", "failed");
const broken = file("failed");
const brokenHook = file("failed", "skipped");
const partly = file("passed", "passed", "skipped", "pending", "todo");

const nameOf = (status: string) => `packages/a/test/a.test.ts > a store > is ${status}`;

describe("T2: countTests", () => {
  it.each([
    ["all is well", true, 2, 0, [good, good], { passed: 2, failed: 0, leftOut: 0, skipped: [] }],
    ["a test fails", false, 2, 1, [good, bad], { passed: 2, failed: 1, leftOut: 0, skipped: [] }],
    [
      "files break",
      false,
      1,
      0,
      [good, broken, brokenHook],
      { passed: 1, failed: 2, leftOut: 0, skipped: [nameOf("skipped")] },
    ],
    ["a test fails and a file breaks", false, 1, 1, [bad, broken], { passed: 1, failed: 2, leftOut: 0, skipped: [] }],
    ["an error comes after the tests", false, 1, 0, [good], { passed: 1, failed: 1, leftOut: 0, skipped: [] }],
    [
      "tests are skipped",
      true,
      2,
      0,
      [good, partly],
      { passed: 2, failed: 0, leftOut: 0, skipped: ["skipped", "pending", "todo"].map(nameOf) },
    ],
  ])("counts when %s", (_, success, numPassedTests, numFailedTests, testResults, expected) => {
    expect(countTests({ success, numPassedTests, numFailedTests, testResults })).toEqual(expected);
  });

  it("counts tests that were left out by themselves", () => {
    const { name, assertionResults } = partly;
    const tests = assertionResults.map((test) => ({ ...test, tags: ["slow", "faults"] }));
    const report = {
      success: true,
      numPassedTests: 1,
      numFailedTests: 0,
      testResults: [{ name, status: "passed", assertionResults: tests }],
    };
    expect(countTests(report, WITHOUT_FAULTS)).toEqual({ passed: 1, failed: 0, leftOut: 3, skipped: [] });
    expect(countTests({ ...report, testResults: [partly] }, FAULTS_ALONE)).toMatchObject({ leftOut: 3, skipped: [] });
    expect(countTests(report, FAULTS_ALONE)).toEqual(countTests(report));
    expect(countTests(report)).toEqual({
      passed: 1,
      failed: 0,
      leftOut: 0,
      skipped: ["skipped", "pending", "todo"].map(nameOf),
    });
  });
});

describe("summaryOf", () => {
  it("names what was not run and what was skipped before it counts", () => {
    const missing = [{ title: "OpenBao", install: "pnpm servers install" }];
    expect(
      summaryOf({ passed: 2, failed: 1, leftOut: 9, skipped: [nameOf("skipped"), nameOf("todo")] }, missing),
    ).toEqual([
      "not run  what needs OpenBao, which is not installed: pnpm servers install",
      "not run  9 tests that kill, stop, race or attack: npm run faults -- --short",
      "skipped  packages/a/test/a.test.ts > a store > is skipped",
      "skipped  packages/a/test/a.test.ts > a store > is todo",
      "2 passed, 1 failed, 2 skipped",
    ]);
  });

  it("says 0 skipped where there is nothing to name", () => {
    expect(summaryOf(NONE, [])).toEqual(["0 passed, 0 failed, 0 skipped"]);
  });
});

import { Script } from "node:vm";
import { afterEach, expect, it, vi } from "vitest";
import { inputProblem } from "../../src/workflow/input-rules.ts";

afterEach(() => void vi.restoreAllMocks());

/** How long each text may have been matched for. */
function timeouts(): () => unknown[] {
  const run = vi.spyOn(Script.prototype, "runInContext");
  return () => run.mock.calls.map(([, options]) => options?.timeout);
}

const weak = (name: string) => ({ type: "string", pattern: `^(${name}|(a+)+)$` }) as const;
const SLOW_TEXT = `${"a".repeat(60)}!`;

it("lets a pattern that has taken too long have only a moment from then on, and no other one", () => {
  const given = timeouts();
  const problem = `takes too long to match ${weak("b").pattern}`;
  for (let attempt = 0; attempt < 3; attempt++) expect(inputProblem(weak("b"), SLOW_TEXT)).toBe(problem);
  inputProblem(weak("c"), "aaa");
  expect(given()).toEqual([250, 10, 10, 250]);
});

it("goes on taking the texts that match at once", () => {
  expect(inputProblem(weak("d"), SLOW_TEXT)).toContain("takes too long");
  // A busy machine may take its time for one of them.
  expect([1, 2, 3, 4, 5].map(() => inputProblem(weak("d"), "d"))).toContain(null);
});

import { describe, expect, it } from "vitest";
import { nearestName } from "../src/index.ts";

describe("KP7: the nearest name", () => {
  it.each([
    ["TOKN", ["TOKEN", "DB"], "TOKEN"],
    ["token", ["TOKEN"], "TOKEN"],
    ["github-token", ["GITHUB_TOKEN", "GITHUB_TOKENS"], "GITHUB_TOKEN"],
    ["GITHUB_TOKNE", ["GITHUB_TOKEN"], "GITHUB_TOKEN"],
    ["TOKNE", ["TOKEN"], "TOKEN"],
    ["db", ["DB"], "DB"],
    ["DB", ["DC"], null],
    ["TOKEN", ["PASSWORD"], null],
    ["TOKEN", [], null],
  ])("of %s among %j is %j", (name, known, expected) => expect(nearestName(name, known)).toBe(expected));
});

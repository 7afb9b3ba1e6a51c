import { describe, expect, it } from "vitest";
import { didYouMean, nearestName } from "../src/nearest-name.ts";

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
    ["TOKEN", ["TOKEN", "TOKENS"], null],
  ])("of %s among %j is %j", (name, known, expected) => expect(nearestName(name, known)).toBe(expected));
});

describe("KP8: a hint for a word that is not known", () => {
  const many = Array.from({ length: 421 }, (_, index) => `Zone/Place_${index}`);
  it.each([
    ["uri", ["url", "method"], "Did you mean 'url'?"],
    ["other", ["url", "method"], "Known here: url, method."],
    ["other", [], undefined],
    ["Mars/Base", many, undefined],
    ["zone/place-7", many, "Did you mean 'Zone/Place_7'?"],
  ])("%s", (word, known, hint) => expect(didYouMean(word, known)).toBe(hint));
});

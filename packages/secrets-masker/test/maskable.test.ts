import { expect, it } from "vitest";
import { createMasker, isMaskable } from "../src/index.ts";

it.each([
  ["", false],
  ["abc", false],
  ["  abc  ", false],
  ["🔑🔑🔑", false],
  ["TRUE", false],
  [" null\n", false],
  ["abcd", true],
  ["🔑🔑🔑🔑", true],
  ["truer", true],
])("isMaskable(%j) is %s, and the masker does as it says", (value, maskable) => {
  expect(isMaskable(value)).toBe(maskable);
  expect(createMasker([value]).mask(`<${value}>`) !== `<${value}>`).toBe(maskable);
});

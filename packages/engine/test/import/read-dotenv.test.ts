import { describe, expect, it } from "vitest";
import { importedApiKey } from "../../src/import/import-entry.ts";
import { readDotenv } from "../../src/import/read-dotenv.ts";

describe("readDotenv", () => {
  it.each([
    ["plain", "A=1", { A: "1" }],
    ["comments, blank lines, export", "# no\n\nexport A=1 # one\n", { A: "1" }],
    ["single quotes", "A='x # y'", { A: "x # y" }],
    ["a value of several lines", 'A="-----BEGIN\nMII=\n-----END"', { A: "-----BEGIN\nMII=\n-----END" }],
    ["CRLF", "A=1\r\nB=2\r\n", { A: "1", B: "2" }],
    ["the last of two", "A=1\nA=2", { A: "2" }],
    ["names that only the plan refuses", "a.b=1\nconstructor=2", { "a.b": "1", constructor: "2" }],
    ["an empty value, for the plan to refuse", "A=", { A: "" }],
    ["nothing", "# only a comment\n", {}],
  ])("reads %s", (_what, text, variables) => {
    const secrets = Object.entries(variables).map(([name, value]) => importedApiKey(name, value));
    expect(readDotenv(text)).toEqual(secrets);
  });

  it("is not moved by __proto__", () => {
    expect(readDotenv("__proto__=canary\nB=1")).toContainEqual(importedApiKey("B", "1"));
    expect(Object.prototype).not.toHaveProperty("B");
  });

  it.each(["KEY=-----BEGIN\nMIIcanary+/==\n-----END", "\ufeffA=1", "MY KEY=1"])(
    "refuses %j without repeating any of it",
    (text) => {
      expect(() => readDotenv(text)).toThrow(
        expect.objectContaining({
          code: "VALUE_INVALID",
          message: "The .env file has a line whose name is not that of a variable",
        }),
      );
    },
  );
});

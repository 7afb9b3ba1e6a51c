import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { parseSecretName } from "../src/index.ts";

describe("parseSecretName", () => {
  it.each(["A", "API_KEY", "api-key", "0", "-", "_", "a".repeat(255), "toString", "hasOwnProperty"])(
    "takes %j",
    (name) => {
      expect(parseSecretName(name)).toBe(name);
    },
  );

  it.each([
    ["", ""],
    ["MY KEY", "MY KEY"],
    ["a.b", "a.b"],
    ["../x", "../x"],
    ["..", ".."],
    ["a/b", "a/b"],
    ["a\\b", "a\\b"],
    ["%2e%2e%2f", "%2e%2e%2f"],
    ["a\0b", "a\\u{0}b"],
    ["a\nb", "a\\u{a}b"],
    ["A\u200b", "A\\u{200b}"],
    ["A\u00a0B", "A\u00a0B"],
    ["\u202eABC", "\\u{202e}ABC"],
    ["АPI", "АPI"],
    ["é", "é"],
    ["e\u0301", "e\u0301"],
    ["__proto__", "__proto__"],
    ["prototype", "prototype"],
    ["constructor", "constructor"],
    ["a".repeat(256), `${"a".repeat(80)}…`],
    ["CON\n", "CON\\u{a}"],
  ])("refuses %j, and shows it harmless", (name, shown) => {
    expect(() => parseSecretName(name)).toThrow(
      expect.objectContaining({
        code: "NAME_INVALID",
        message: `Invalid secret name '${shown}': use letters, digits, underscore and hyphen`,
      }),
    );
  });

  it("takes exactly the documented form", () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 300 }), (name) => {
        const documented =
          /^[A-Za-z0-9_-]{1,255}$/.test(name) && !["__proto__", "prototype", "constructor"].includes(name);
        if (documented) expect(parseSecretName(name)).toBe(name);
        else expect(() => parseSecretName(name)).toThrow("Invalid secret name");
      }),
    );
  });
});

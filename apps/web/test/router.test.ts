import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { hrefOf, readRoute } from "../src/router.ts";

describe("an address", () => {
  it("is read as it was written", () => {
    const part = fc.string({ minLength: 1, unit: anyCharacter }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), fc.dictionary(part, part, { maxKeys: 4 }), (path, query) => {
        const route = readRoute(hrefOf(path, query));
        expect([route.path, Object.fromEntries(route.query)]).toEqual([path, { ...query }]);
      }),
    );
  });

  it.each([
    ["", []],
    ["#", []],
    ["#/", []],
    ["#secrets", ["secrets"]],
    ["#/secrets/%E0%A4%A", ["secrets", "%E0%A4%A"]],
  ])("%j leads somewhere, whoever has typed it", (hash, path) => {
    expect(readRoute(hash).path).toEqual(path);
  });
});

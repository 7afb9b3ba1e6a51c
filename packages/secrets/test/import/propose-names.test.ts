import { isIdentifier } from "@autokestra/secrets-core/internal";
import { describe, expect, it } from "vitest";
import { proposeNames } from "../../src/import/entries.ts";

const long = "x".repeat(300);

describe("proposeNames", () => {
  it.each([
    ["my key!", "my_key"],
    [" api / v2 (prod) ", "api_v2_prod"],
    ["_private key-", "_private_key-"],
    ["clé d’API", "cle_d_API"],
    ["a.b.c", "a_b_c"],
    ["../../etc/passwd", "etc_passwd"],
    ["a\u0000b\nc", "a_b_c"],
    ["日本", "SECRET"],
    ["", "SECRET"],
    ["!!!", "SECRET"],
    ["__proto__", "__proto___2"],
    ["constructor", "constructor_2"],
    ["prototype!", "prototype_2"],
    [long, long.slice(0, 255)],
  ])("%j -> %j", (name, proposal) => {
    expect([...proposeNames([name])]).toEqual([[name, proposal]]);
  });

  it("proposes nothing for a good name, and never one that is there", () => {
    expect([...proposeNames(["a b", "a_b", "a.b", "a_b_3"])]).toEqual([
      ["a b", "a_b_2"],
      ["a.b", "a_b_4"],
    ]);
  });

  it("keeps a number within 255 characters", () => {
    const proposals = [...proposeNames([`${long}!`, `${long}?`]).values()];
    expect(proposals).toEqual([long.slice(0, 255), `${long.slice(0, 253)}_2`]);
  });

  it("gives 50 000 names of one form 50 000 good proposals, and the same ones again", () => {
    const names = Array.from(
      { length: 50_000 },
      (_, index) => "!".repeat(index % 10) + String.fromCodePoint(0x4e00 + index),
    );
    const proposals = proposeNames(names);
    const different = new Set(proposals.values());
    expect(different.size).toBe(new Set(names).size);
    expect([...different].every(isIdentifier)).toBe(true);
    expect(proposeNames(names)).toEqual(proposals);
  });
});

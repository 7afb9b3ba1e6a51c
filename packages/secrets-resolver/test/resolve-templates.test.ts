import type { Reference } from "@autokestra/secrets-core";
import { formatReference } from "@autokestra/secrets-core/internal";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { parseTemplates, resolveTemplates } from "../src/index.ts";

const values: Readonly<Record<string, unknown>> = {
  "secrets.TOKEN": "t0ken",
  "secrets.NUMBER.port": 5432,
  "secrets.FLAG.on": true,
  "secrets.PAIR": { username: "u", password: "p" },
  "secrets.PAIR.password": "p",
  "secrets.TEMPLATE": "{{ secrets.TOKEN }} \\{{",
  "secrets.DOLLAR": "$& $$ $1 $` \\n \n \r\n",
  "secrets.LONE": "\ud800",
  "inputs.null": null,
  "tasks.a.output": { list: [1, 2] },
};

async function lookup(reference: Reference): Promise<unknown> {
  return values[formatReference(reference)];
}

async function resolve(value: unknown): Promise<unknown> {
  return await resolveTemplates(parseTemplates(value), lookup);
}

describe("resolveTemplates", () => {
  it.each<[unknown, unknown]>([
    ["plain", "plain"],
    ["{{ secrets.TOKEN }}", "t0ken"],
    ["Bearer {{secrets.TOKEN}}", "Bearer t0ken"],
    ["{{ secrets.TOKEN }}{{ secrets.TOKEN }}", "t0kent0ken"],
    ["{{ secrets.NUMBER.port }}", 5432],
    [":{{ secrets.NUMBER.port }}", ":5432"],
    ["{{ secrets.FLAG.on }}", true],
    ["on={{ secrets.FLAG.on }}", "on=true"],
    ["{{ secrets.PAIR }}", { username: "u", password: "p" }],
    ["{{ inputs.null }}", null],
    ["is {{ inputs.null }}", "is null"],
    ["{{ tasks.a.output }}", { list: [1, 2] }],
    ["got {{ tasks.a.output }}", 'got {"list":[1,2]}'],
    ["{{ secrets.TEMPLATE }}", "{{ secrets.TOKEN }} \\{{"],
    ["<{{ secrets.TEMPLATE }}>", "<{{ secrets.TOKEN }} \\{{>"],
    ["<{{ secrets.DOLLAR }}>", "<$& $$ $1 $` \\n \n \r\n>"],
    ["\\{{ secrets.TOKEN }}", "{{ secrets.TOKEN }}"],
    [7, 7],
    [null, null],
    [
      { a: [{ b: "{{ secrets.TOKEN }}" }], c: false },
      { a: [{ b: "t0ken" }], c: false },
    ],
    [{ "{{ secrets.TOKEN }}": "x" }, { "{{ secrets.TOKEN }}": "x" }],
  ])("resolves %j to %j", async (input, expected) => {
    expect(await resolve(input)).toEqual(expected);
  });

  it.each<[string, unknown]>([
    ['{{ inputs.null ?? "none" }}', "none"],
    ["{{ inputs.gone ?? 7 }}", 7],
    ["{{ inputs.gone ?? false }}", false],
    ['v{{ inputs.gone ?? "1" }}', "v1"],
    ['{{ tasks.a.output ?? "none" }}', { list: [1, 2] }],
    ["{{ secrets.TOKEN | base64 }}", "dDBrZW4="],
    ["Basic {{ secrets.TOKEN | base64 }}", "Basic dDBrZW4="],
    ["{{ secrets.TOKEN | json }}", '"t0ken"'],
    ["{{ tasks.a.output | json }}", '{"list":[1,2]}'],
    ["{{ tasks.a.output | base64 }}", "eyJsaXN0IjpbMSwyXX0="],
    ["{{ inputs.gone | json }}", "null"],
    ["{{ inputs.null | json }}", "null"],
    ["{{ secrets.DOLLAR | urlencode }}", encodeURIComponent("$& $$ $1 $` \\n \n \r\n")],
    ["{{ secrets.DOLLAR | trim }}", "$& $$ $1 $` \\n"],
    ["{{ secrets.LONE | urlencode }}", "%EF%BF%BD"],
    ["{{ secrets.NUMBER.port | trim }}", "5432"],
    ['{{ inputs.gone ?? " x " | trim | base64 }}', "eA=="],
  ])("%j becomes %j", async (input, expected) => {
    expect(await resolve(input)).toEqual(expected);
  });

  it("tells lookup whether a key may be missing, and who wants to know what filters have made", async () => {
    const asked: unknown[] = [];
    const filtered: unknown[] = [];
    await resolveTemplates(
      parseTemplates(["{{ inputs.a ?? 1 }}", "{{ inputs.b }}", "x{{ secrets.C | trim | base64 }}"]),
      async (reference, isOptional) => {
        asked.push([formatReference(reference), isOptional]);
        return " v ";
      },
      (reference, text, value) => filtered.push([formatReference(reference), text, value]),
    );
    expect(asked).toEqual([
      ["inputs.a", true],
      ["inputs.b", false],
      ["secrets.C", false],
    ]);
    expect(filtered).toEqual([["secrets.C", "dg==", " v "]]);
  });

  it("refuses a filter on a secret with several fields", async () => {
    await expect(resolve("{{ secrets.PAIR | base64 }}")).rejects.toThrow("Secret 'PAIR' has no single value");
    expect(await resolve("{{ secrets.PAIR | json }}")).toBe('{"username":"u","password":"p"}');
  });

  it("tells which fields there are where a text needs one of them", async () => {
    await expect(resolve("user {{ secrets.PAIR }}")).rejects.toThrow(
      expect.objectContaining({
        code: "REFERENCE_INVALID",
        message: "Secret 'PAIR' has no single value (fields: username, password)",
      }),
    );
  });

  it("refuses a malformed reference", async () => {
    await expect(resolve(["{{ secrets. }}"])).rejects.toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
  });

  it("refuses a cycle, and nesting of 100 000 levels, without overflowing", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    let deep: unknown = "x";
    for (let level = 0; level < 100_000; level++) deep = [deep];
    for (const value of [cycle, deep]) {
      expect(() => parseTemplates(value)).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
    }
  });

  it("refuses values that are too large together, also where they take little memory", async () => {
    let doubled: unknown = ["x".repeat(1000)];
    for (let step = 0; step < 60; step++) doubled = step % 2 === 0 ? [doubled, doubled] : { a: doubled, b: doubled };
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const long = "x".repeat(40 * 1024 * 1024);
    const refused = expect.objectContaining({ code: "REFERENCE_INVALID", message: expect.stringContaining("64 MiB") });
    for (const value of [doubled, cycle]) {
      const tree = parseTemplates("{{ inputs.a }}");
      await expect(resolveTemplates(tree, async () => value)).rejects.toEqual(refused);
    }
    await expect(resolveTemplates(parseTemplates(["{{ inputs.a }}"]), async () => long)).resolves.toEqual([long]);
    const twice = parseTemplates({ a: "{{ inputs.a }}", b: ["{{ inputs.b }}"] });
    await expect(resolveTemplates(twice, async () => long)).rejects.toEqual(refused);
  });

  it("keeps a key called __proto__ as data", async () => {
    const input: unknown = JSON.parse('{"__proto__": {"polluted": "{{ secrets.TOKEN }}"}}');
    const output = await resolve(input);
    expect(Object.hasOwn(output as object, "__proto__")).toBe(true);
    expect(Object.prototype).not.toHaveProperty("polluted");
  });

  it("puts any value in as it is, to the unit, and leaves its input alone", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: anyCharacter }), async (value) => {
        const input = { text: "<{{ secrets.TOKEN }}>", whole: "{{ secrets.TOKEN }}" };
        expect(await resolveTemplates(parseTemplates(input), async () => value)).toEqual({
          text: `<${value}>`,
          whole: value,
        });
        expect(input.whole).toBe("{{ secrets.TOKEN }}");
      }),
    );
  });
});

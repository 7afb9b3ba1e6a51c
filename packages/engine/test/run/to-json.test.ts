import { describe, expect, it } from "vitest";
import { toJson } from "../../src/run/to-json.ts";

const circle: Record<string, unknown> = { a: 1 };
circle["self"] = circle;

const map = new Map<unknown, unknown>([["k", 1]]);
map.set("self", map);

const shared = { twice: true };

let deep: unknown = 0;
for (let level = 0; level < 100_000; level++) deep = [deep];

describe("what JSON holds of", () => {
  it.each<[string, unknown, unknown]>([
    ["nothing", undefined, undefined],
    ["text", "text", "text"],
    ["what JSON knows", { a: [1, null, true, "ü"], b: {} }, { a: [1, null, true, "ü"], b: {} }],
    ["what it leaves out", { a: undefined, b: () => 1, c: Symbol("c"), d: Number.NaN }, { d: null }],
    ["a bigint", { a: 2n ** 70n }, { a: "1180591620717411303424" }],
    ["a date", { a: new Date(0) }, { a: "1970-01-01T00:00:00.000Z" }],
    ["a circle", circle, { a: 1, self: "[circular]" }],
    ["what is there twice", [shared, shared], [shared, shared]],
    ["a map and a set", { m: new Map([["k", new Set([1, new Map()])]]) }, { m: { k: [1, {}] } }],
    ["a map with itself inside", map, { k: 1, self: "[circular]" }],
    ["a map with a hostile key", new Map([["__proto__", 1]]), JSON.parse('{"__proto__":1}')],
    ["what is nested too deep", deep, "[no JSON]"],
    [
      "what throws",
      {
        toJSON() {
          throw new Error("no");
        },
      },
      "[no JSON]",
    ],
  ])("%s", (_, value, json) => {
    expect(toJson(value)).toEqual(json);
  });

  it("an error", () => {
    const inner = new TypeError("inner");
    const error = Object.assign(new AggregateError([inner], "outer", { cause: inner }), { code: "E_OUTER" });
    expect(toJson({ error })).toEqual({
      error: {
        code: "E_OUTER",
        name: "AggregateError",
        message: "outer",
        stack: error.stack,
        cause: { name: "TypeError", message: "inner", stack: inner.stack },
        errors: [{ name: "TypeError", message: "inner", stack: inner.stack }],
      },
    });
  });
});

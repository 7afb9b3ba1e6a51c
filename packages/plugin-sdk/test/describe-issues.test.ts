import { expect, it } from "vitest";
import { z } from "zod";
import { describeIssues } from "../src/describe-issues.ts";

const CANARY = "canary-4711";

function describeFailure(schema: z.ZodType, value: unknown): string {
  const result = schema.safeParse(value);
  if (result.success) return expect.fail("it has passed");
  return describeIssues(result.error.issues);
}

const quoting = z.string({ error: (issue) => `not ${String(issue.input)}` });

it.each<[string, z.ZodType, unknown, string]>([
  ["a type", z.string(), 4711, "expected string"],
  ["an integer", z.int(), 47.11, "expected integer"],
  ["a record", z.record(z.string(), z.string()), CANARY, "expected object"],
  ["a tuple", z.tuple([z.string()]), CANARY, "expected array"],
  ["a missing key", z.strictObject({ a: z.strictObject({ b: z.string() }) }), { a: {} }, "a.b: expected string"],
  ["a missing key of any type", z.strictObject({ a: z.unknown() }), {}, "a: expected a value"],
  ["an element", z.strictObject({ a: z.array(z.string()) }), { a: ["", 4711] }, "a[1]: expected string"],
  ["an enum", z.enum(["on", "off"]), CANARY, "expected one of on, off"],
  ["a literal", z.literal("on"), CANARY, "expected on"],
  ["a word for a boolean", z.stringbool({ truthy: ["y"], falsy: ["n"] }), CANARY, "expected one of y, n"],
  ["a URL", z.url(), CANARY, "expected text of the form url"],
  ["a pattern", z.string().regex(/^a+$/), CANARY, "expected text like /^a+$/"],
  ["a start", z.string().startsWith("sk-"), CANARY, "expected text that starts with sk-"],
  ["an end", z.string().endsWith("=="), CANARY, "expected text that ends with =="],
  ["a part", z.string().includes("@"), CANARY, "expected text that includes @"],
  ["too short", z.string().min(20), CANARY, "expected at least 20 characters"],
  ["too long", z.string().max(3), CANARY, "expected at most 3 characters"],
  ["another length", z.array(z.string()).length(1), [], "expected exactly 1 items"],
  ["too small", z.number().positive(), -4711, "expected more than 0"],
  ["too large", z.number().lt(10), 4711, "expected less than 10"],
  ["a multiple", z.number().multipleOf(5), 4711, "expected a multiple of 5"],
  ["a union", z.union([z.string(), z.number()]), { CANARY }, "expected string or number"],
  [
    "a union of forms",
    z.union([z.strictObject({ a: z.string() }), z.strictObject({ b: z.int() })]),
    { a: 1 },
    "expected a: string or b: number and no key 'a'",
  ],
  [
    "a union in a union",
    z.strictObject({ a: z.union([z.union([z.string(), z.number()]), z.null()]) }),
    { a: true },
    "a: expected another value or null",
  ],
  [
    "a tagged union",
    z.discriminatedUnion("kind", [z.object({ kind: z.literal("a") }), z.object({ kind: z.literal("b") })]),
    { kind: CANARY },
    "kind: expected one of a, b",
  ],
  ["forms that overlap", z.xor([z.string(), z.string()]), CANARY, "expected a value that fits exactly one form"],
  [
    "a key",
    z.record(z.string().max(2), z.string()),
    { long: CANARY },
    "long: expected another key (at most 2 characters)",
  ],
  ["a value of a map", z.map(z.string(), z.string()), new Map([["a", 4711]]), "a: expected string"],
  [
    "unknown keys",
    z.strictObject({ a: z.strictObject({}) }),
    { a: { b: CANARY, c: CANARY } },
    "a: unknown key 'b', 'c'",
  ],
  ["a rule", z.string().refine(() => false, { params: { expected: "a palindrome" } }), CANARY, "expected a palindrome"],
  ["a rule without words", z.string().refine(() => false), CANARY, "expected another value"],
  [
    "a rule that quotes",
    z.string().refine(() => false, { error: (issue) => `bad ${String(issue.input)}` }),
    CANARY,
    "expected another value",
  ],
  ["a schema that quotes", quoting, 4711, "expected string"],
  ["strange keys", z.strictObject({}), { "a\n\u202e": 1, ["k".repeat(81)]: 1 }, "unknown key 'a\\u000a\\u202e', '…'"],
])("%s", (_, schema, value, expected) => {
  expect(describeFailure(schema, value)).toBe(expected);
  expect(expected).not.toMatch(/4711/);
});

it("says the same once, and not more than ten things", () => {
  const schema = z.record(z.string(), z.string());
  const value = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`k${index}`, 4711]));
  const text = describeFailure(schema, value);
  expect(text.split("; ")).toHaveLength(11);
  expect(text).toMatch(/^k0: expected string; .*; and 15 more$/);
  expect(describeFailure(z.string().regex(/a/).regex(/a/), "b")).toBe("expected text like /a/");
});

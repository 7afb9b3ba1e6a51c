import { expect, expectTypeOf, it } from "vitest";
import { type Action, defineAction, z } from "../src/index.ts";
import type { CleanRun, expectNoLeak } from "../src/testing/index.ts";

const secret = z.string().meta({ secret: true });

it.each<[NonNullable<Action["output"]>, readonly string[]]>([
  [z.string(), []],
  [secret, ["*"]],
  [z.object({ a: secret, b: z.string() }), ["a"]],
  [z.object({ a: z.array(z.object({ b: secret })) }), ["a.*.b"]],
  [z.record(z.string(), secret), ["*"]],
  [z.union([z.object({ a: secret }), z.object({ b: z.object({ c: secret.optional() }) })]), ["a", "b.c"]],
  [z.tuple([z.string(), secret]), ["1"]],
  [z.object({ a: z.object({ b: z.string() }).meta({ secret: true }) }), ["a"]],
  [z.date(), []],
])("finds what an output schema marks as secret (%#)", (output, expected) => {
  expect(defineAction<unknown, unknown>({ input: z.unknown(), output, run: () => 1 }).secretOutputs).toEqual(expected);
});

it("adds them to those that are listed", () => {
  const action = defineAction({
    input: z.unknown(),
    output: z.object({ a: secret, b: z.string() }),
    secretOutputs: ["b", "a"],
    run: () => ({ a: "", b: "" }),
  });
  expect(action.secretOutputs).toEqual(["b", "a"]);
});

it("an action keeps its types", () => {
  const action = defineAction({
    input: z.strictObject({ name: z.string(), times: z.int().default(1) }),
    output: z.object({ text: z.string() }),
    run(input, { log }) {
      expectTypeOf(input).toEqualTypeOf<{ name: string; times: number }>();
      expectTypeOf(log.info).parameter(0).toEqualTypeOf<string>();
      return { text: "" };
    },
  });
  expectTypeOf(action).toEqualTypeOf<Action<{ name: string; times: number }, { text: string }>>();
  expectTypeOf<ReturnType<typeof expectNoLeak<{ text: string }>>>().resolves.toEqualTypeOf<
    CleanRun<{ text: string }>
  >();
  // @ts-expect-error: the output does not fit the schema.
  defineAction({ input: z.unknown(), output: z.object({ text: z.string() }), run: () => ({ text: 1 }) });
});

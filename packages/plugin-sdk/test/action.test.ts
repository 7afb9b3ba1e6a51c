import { expect, expectTypeOf, it } from "vitest";
import { type Action, defineAction, z } from "../src/index.ts";

const shout = defineAction({
  description: "Says it louder.",
  input: z.strictObject({ text: z.string(), times: z.int().default(1) }),
  output: z.strictObject({ text: z.string() }),
  run: ({ text, times }) => ({ text: text.toUpperCase().repeat(times) }),
});

it("types run by the schemas", () => {
  expectTypeOf(shout).toEqualTypeOf<Action<{ text: string; times: number }, { text: string }>>();
  expectTypeOf(shout).toExtend<Action>();
  const silent = defineAction({ input: z.strictObject({}), run: () => 42 });
  expectTypeOf(silent).toEqualTypeOf<Action<Record<string, never>, number>>();
});

it("refuses a run that does not fit, at compile time", () => {
  // @ts-expect-error the output schema promises a text
  const wrong = defineAction({ input: z.strictObject({}), output: z.string(), run: () => 1 });
  expect(wrong.output).toBeDefined();
});

it("cannot be changed afterwards", () => {
  expect(Object.isFrozen(shout)).toBe(true);
});

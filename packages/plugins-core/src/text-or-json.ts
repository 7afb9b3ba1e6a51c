import { z } from "@autokestra/plugin-sdk";

/** Keeps text as it is and turns every other value into compact JSON. */
export const textOrJson: z.ZodType<string> = z.unknown().transform((value, context) => {
  const text = typeof value === "string" ? value : toJsonText(value);
  if (text !== undefined) return text;
  context.addIssue({ code: "custom", params: { expected: "text or a JSON value" } });
  return z.NEVER;
});

/** @returns undefined for what JSON cannot hold: functions, cycles, big integers, nesting deeper than the stack */
export function toJsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

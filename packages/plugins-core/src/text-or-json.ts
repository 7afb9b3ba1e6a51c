import { z } from "@autokestra/plugin-sdk";

/** A text, and whether it was made from a JSON value. */
export interface TextOrJson {
  readonly text: string;
  readonly json: boolean;
}

/** Text as it stands, any other value in its compact JSON form. */
export const textOrJson: z.ZodType<TextOrJson> = z.unknown().transform((value, context) => {
  if (typeof value === "string") return { text: value, json: false };
  const text = stringify(value);
  if (text !== undefined) return { text, json: true };
  context.addIssue({ code: "custom", params: { expected: "text or a JSON value" } });
  return z.NEVER;
});

/** Undefined for what JSON cannot hold: functions, cycles, big integers, nesting deeper than the stack. */
function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

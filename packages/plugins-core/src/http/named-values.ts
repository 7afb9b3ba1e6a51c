import { z } from "@autokestra/plugin-sdk";

/** What a message says of text that is not. */
export const WELL_FORMED = "text without halves of surrogate pairs";

/** False for text that UTF-8 cannot hold: each half of a pair would silently become U+FFFD. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** An object by names that are well-formed. One that zod leaves out without a word is refused. */
export function namedValues<Value>(value: z.ZodType<Value>): z.ZodType<Record<string, Value>> {
  const name = z.string().refine(isWellFormed, { params: { expected: WELL_FORMED } });
  return z
    .unknown()
    .refine((given) => typeof given !== "object" || given === null || !Object.hasOwn(given, "__proto__"), {
      params: { expected: "no name '__proto__'" },
    })
    .pipe(z.record(name, value));
}

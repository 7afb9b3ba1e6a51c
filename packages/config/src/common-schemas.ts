import { isIdentifier, isReserved, parseDuration } from "@autokestra/secrets-core/internal";
import { z } from "zod";

/** A name as in references. */
export const nameSchema: z.ZodString = z
  .string()
  .refine(
    (text) => isIdentifier(text) && !isReserved(text),
    "must be a name of letters, digits, underscore and hyphen",
  );

export const pathSchema: z.ZodString = z.string().min(1);

/** The shortest time from one start of regular work to the next. */
const MINUTE = 60_000;

/** A length of time as people write it, in milliseconds. */
export const durationSchema: z.ZodType<number, string> = z.string().transform((text, context) => {
  const length = parseDuration(text, new Date().toISOString());
  if (length !== null && length >= MINUTE) return length;
  context.addIssue("must be a length of time of at least a minute, such as 24h or 90d");
  return z.NEVER;
});

/** Resolves a path that is relative to the folder of the file. */
export type ToAbsolute = (relative: string | undefined) => string | undefined;

import { isIdentifier, isReserved } from "@autokestra/secrets-core/internal";
import { z } from "zod";

/** A name as in references. */
export const nameSchema: z.ZodString = z
  .string()
  .refine(
    (text) => isIdentifier(text) && !isReserved(text),
    "must be a name of letters, digits, underscore and hyphen",
  );

export const pathSchema: z.ZodString = z.string().min(1);

/** Resolves a path that is relative to the folder of the file. */
export type Absolute = (relative: string | undefined) => string | undefined;

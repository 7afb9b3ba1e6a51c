import { z } from "@autokestra/secrets-core";

/** A schema for standard base64 of exactly `length` bytes. Node decodes leniently; this takes only what encodes back. */
export function base64Bytes(length: number): z.ZodType<string> {
  return z.string().refine((text) => {
    const bytes = Buffer.from(text, "base64");
    return bytes.length === length && bytes.toString("base64") === text;
  }, `must be base64 of ${length} bytes`);
}

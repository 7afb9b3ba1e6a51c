import {
  AutokestraError,
  descriptionSchema,
  parseTimestamp,
  quoteText,
  secretTypeSchema,
  tagSchema,
} from "@autokestra/secrets-core";
import { z } from "zod";
import { type ImportEntry, importedApiKey } from "./import-entry.ts";

const HINT = 'Write {"NAME": "value"}, or [{"name": "NAME", "type": "basicAuth", "fields": {"username": …}}].';

/** What parseFields would drop, or JSON has changed already, must not go unnoticed. */
const fieldsSchema = z
  .custom<Readonly<Record<string, unknown>>>(isObject, "must be an object")
  .refine((fields) => !Object.hasOwn(fields, "__proto__"), "must not have a field __proto__")
  .refine((fields) => !Object.values(fields).some(isRounded), "has a number with too many digits: put it in quotes");

const entrySchema = z.strictObject({
  name: z.string(),
  type: secretTypeSchema,
  fields: fieldsSchema,
  description: descriptionSchema.nullable().exactOptional(),
  tags: z.array(tagSchema).exactOptional(),
  expiresAt: z
    .union([z.string(), z.number()])
    .refine((time) => parseTimestamp(time) !== null, "must be ISO 8601, or milliseconds since 1970")
    .nullable()
    .exactOptional(),
});

/**
 * Reads JSON in one of two shapes: an object `{"NAME": "value"}`, each an apiKey (a whole number, true and false count as their
 * text), or an array of `{name, type, fields, description?, tags?, expiresAt?}`. The last one of two equal keys of an object
 * counts, as always in JSON.
 *
 * @throws AutokestraError `VALUE_INVALID` where the text is not JSON, or neither object nor array
 */
export function readJson(text: string): ImportEntry[] {
  const document = parseJson(text);
  if (Array.isArray(document)) return document.map(readEntry);
  if (isObject(document)) return Object.entries(document).map(readPair);
  throw new AutokestraError("VALUE_INVALID", "The JSON to import is neither an object nor an array", { hint: HINT });
}

/** An error of JSON.parse quotes what it has read: it must not get out. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AutokestraError("VALUE_INVALID", "What is to be imported is not JSON", { hint: HINT });
  }
}

function readEntry(entry: unknown, index: number): ImportEntry {
  const result = entrySchema.safeParse(entry);
  if (result.success) return { ...result.data, createdAt: null, updatedAt: null };
  const named = isObject(entry) && typeof entry["name"] === "string" ? entry["name"] : `entry ${index + 1}`;
  return { name: named, reason: result.error.issues.map(describeIssue).join("; ") };
}

function describeIssue({ path, message }: z.core.$ZodIssue): string {
  return quoteText([path.join("."), message].filter(Boolean).join(": "));
}

function readPair([name, value]: [string, unknown]): ImportEntry {
  if (typeof value === "string" || typeof value === "boolean" || Number.isSafeInteger(value)) {
    return importedApiKey(name, String(value));
  }
  const isNumber = typeof value === "number";
  return { name, reason: isNumber ? "Put the number in quotes, to keep all its digits" : "The value is not a text" };
}

/** A whole number beyond 2^53, of which JSON.parse has kept the first digits only. */
function isRounded(value: unknown): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

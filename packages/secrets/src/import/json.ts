import { AutokestraError, SECRET_TYPES, type SecretType } from "@autokestra/secrets-core";
import { parseJson } from "@autokestra/secrets-core/exact-json";
import {
  descriptionProblem,
  parseMoment,
  parseSecretType,
  quoteText,
  suggestSecretType,
  tagProblem,
} from "@autokestra/secrets-core/internal";
import { isLosslessNumber, stringify } from "lossless-json";
import { z } from "zod";
import { type ImportEntry, importedApiKey } from "./entries.ts";

const HINT = 'Write {"NAME": "value"}, or [{"name": "NAME", "type": "basicAuth", "fields": {"username": …}}].';

const KEPT = "is kept as text, because the number would be written differently";

type Fields = Readonly<Record<string, unknown>>;

/** `parseFields` would silently drop a field `__proto__`. */
const fieldsSchema = z
  .custom<Fields>(isObject, "must be an object")
  .refine((fields) => !Object.hasOwn(fields, "__proto__"), "must not have a field __proto__");

const typeSchema = z.unknown().transform((input, context): SecretType => {
  const text = typeof input === "string" ? input : "";
  const type = parseSecretType(text);
  if (type !== null) return type;
  const near = suggestSecretType(text);
  context.addIssue(near === null ? `must be ${SECRET_TYPES.join(", ")}` : `is not known: did you mean ${near}?`);
  return z.NEVER;
});

function lineSchema(problemOf: (text: string) => string | null) {
  return z.string().superRefine((text, context) => {
    const problem = problemOf(text);
    if (problem !== null) context.addIssue(problem);
  });
}

const entrySchema = z.strictObject({
  name: z.string(),
  type: typeSchema,
  fields: fieldsSchema,
  description: lineSchema(descriptionProblem).nullable().exactOptional(),
  tags: z.array(lineSchema(tagProblem)).exactOptional(),
  expiresAt: z
    .unknown()
    .transform(toMoment)
    .refine(
      (time) => time === null || parseMoment(time, () => new Date().toISOString()) !== null,
      "must be a time, such as 2027-01-31 or 90d",
    )
    .exactOptional(),
});

/**
 * Reads JSON for {@link importSecrets}: an object `{"NAME": "value"}`, whose values become apiKeys (numbers, true and
 * false as text), or an array of `{name, type, fields, description?, tags?, expiresAt?}`. A number that JavaScript
 * would write differently, such as 1.0, is kept as text, with a warning.
 *
 * @throws AutokestraError `VALUE_INVALID` if the text is not JSON, has a duplicate key, or is neither object nor array
 */
export function readJson(text: string): ImportEntry[] {
  const result = parseJson(text);
  if ("problem" in result) {
    const { problem, duplicateKey, line } = result;
    const key = duplicateKey === undefined ? "" : ` ('${quoteText(duplicateKey)}')`;
    throw new AutokestraError("VALUE_INVALID", `What is to be imported ${problem}${key}: line ${line}`, { hint: HINT });
  }
  const { value: document } = result;
  if (Array.isArray(document)) return document.map(readEntry);
  if (isObject(document)) return Object.entries(document).map(readPair);
  throw new AutokestraError("VALUE_INVALID", "The JSON to import is neither an object nor an array", { hint: HINT });
}

function readEntry(entry: unknown, index: number): ImportEntry {
  const result = entrySchema.safeParse(entry);
  if (result.success) {
    return { ...result.data, ...readFields(result.data.type, result.data.fields), createdAt: null, updatedAt: null };
  }
  const named = isObject(entry) && typeof entry["name"] === "string" ? entry["name"] : `entry ${index + 1}`;
  return { name: named, reason: result.error.issues.map(describeIssue).join("; ") };
}

/**
 * Numbers become text if the type has only texts or JavaScript would write them differently. Nested values become JSON.
 */
function readFields(
  type: SecretType,
  fields: Fields,
): { readonly fields: Fields; readonly warnings?: readonly string[] } {
  const isTime = (name: string) => name === "expiresAt" && type !== "custom";
  const read = Object.entries(fields).map(([name, value]) => {
    if (isTime(name)) return [name, toMoment(value)];
    if (isLosslessNumber(value)) return [name, value.value];
    const isNested = type === "custom" && typeof value === "object" && value !== null;
    const becomesText = isNested || (type !== "custom" && typeof value === "number");
    return [name, becomesText ? stringify(value) : value];
  });
  const kept = Object.keys(fields).filter((name) => isLosslessNumber(fields[name]) && !isTime(name));
  const warnings = kept.map((name) => `field ${quoteText(name)} ${KEPT}`);
  return { fields: Object.fromEntries(read), ...(warnings.length === 0 ? {} : { warnings }) };
}

function toMoment(input: unknown): string | number | null {
  if (isLosslessNumber(input)) return Number(input.value);
  return typeof input === "string" || typeof input === "number" || input === null ? input : Number.NaN;
}

function describeIssue({ path, message }: z.core.$ZodIssue): string {
  return quoteText([path.join("."), message].filter(Boolean).join(": "));
}

function readPair([name, value]: [string, unknown]): ImportEntry {
  if (isLosslessNumber(value)) return importedApiKey(name, value.value, { warnings: [`it ${KEPT}`] });
  const isText = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return isText ? importedApiKey(name, String(value)) : { name, reason: "The value is not a text" };
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isLosslessNumber(value);
}

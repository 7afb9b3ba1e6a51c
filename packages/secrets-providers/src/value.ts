import {
  expiryInFields,
  hasCode,
  type ProvidedSecret,
  parseFields,
  type SecretBinding,
  type SecretName,
  type SecretType,
  type SourceAnswer,
} from "@autokestra/secrets-core";
import { formatJson, isLosslessNumber, parseJson } from "@autokestra/secrets-core/exact-json";
import { quoteText } from "@autokestra/secrets-core/internal";
import { malformed, notFound } from "./answers.ts";

/** How to convert a value into a secret. */
export type ValueOptions = Pick<SecretBinding, "field" | "fields" | "type"> & {
  readonly format: NonNullable<SecretBinding["format"]>;
};

type Fields = Readonly<Record<string, unknown>>;

/**
 * Converts the value of a provider into a secret. A JSON object becomes a `custom` secret, or one of the requested
 * type, with its fields; any other text becomes an `apiKey`. With the format `text`, the value stays unchanged, byte
 * for byte.
 */
export function toSecret(name: SecretName, provided: ProvidedSecret, options: ValueOptions): SourceAnswer {
  const { field, fields, type, format } = options;
  const whole = readValue(provided.value, field === undefined && fields === undefined ? format : "json");
  if (whole === null) return malformed("the value is a JSON object that has a key twice");
  const asked = fields === undefined ? [] : Object.values(fields);
  const wanted = field === undefined ? asked : [field];
  const lacking = wanted.filter((key) => typeof whole === "string" || !Object.hasOwn(whole, key));
  if (lacking.length > 0) return notFound(`Secret '${name}' has no field ${lacking.map(quoteText).join(", ")}.`);
  const value = typeof whole === "string" ? whole : pick(whole, options);
  if (value === null) return malformed("the value is a JSON object that has a key twice");
  return checked(name, provided, type ?? (typeof value === "string" ? "apiKey" : "custom"), value);
}

/** Returns a text, or the object that it contains; null for an object with a duplicate key. */
function readValue(value: string | Fields, format: ValueOptions["format"]): string | Fields | null {
  if (typeof value !== "string") return format === "json" ? value : (formatJson(value) ?? "");
  if (format === "text" || !value.trimStart().startsWith("{")) return value;
  const json = parseJson(value);
  if ("value" in json) return json.value as Fields;
  return json.duplicateKey === undefined ? value : null;
}

/** Returns the requested part of an object: one field, some fields under other names, or all. */
function pick(whole: Fields, { field, fields, format }: ValueOptions): string | Fields | null {
  if (field !== undefined) {
    const value = whole[field];
    return typeof value === "string" ? readValue(value, format) : isFields(value) ? value : toText(value);
  }
  if (fields === undefined) return whole;
  return Object.fromEntries(Object.entries(fields).map(([to, from]) => [to, whole[from]]));
}

function checked(name: SecretName, provided: ProvidedSecret, type: SecretType, value: string | Fields): SourceAnswer {
  const given = typeof value === "string" ? { [SINGLE_FIELD[type] ?? "value"]: value } : value;
  const entries = Object.entries(given).map(([key, item]) => [key, toFieldValue(key, item, type)] as const);
  try {
    const fields = parseFields(name, type, Object.fromEntries(entries), undefined, true);
    const expiresAt = provided.expiresAt ?? expiryInFields(type, fields);
    const { version } = provided;
    return { status: "found", secret: { type, fields, expiresAt, ...(version !== undefined && { version }) } };
  } catch (error) {
    if (!hasCode(error, "VALUE_EMPTY", "VALUE_INVALID")) throw error;
    return malformed(error.message, error.hint);
  }
}

/** The field for a single text, by type. Default: `value`. */
const SINGLE_FIELD: Partial<Readonly<Record<SecretType, string>>> = { bearerToken: "token" };

/** Numbers become text if the type has only texts, or if they would lose digits. Nested values become JSON. */
function toFieldValue(key: string, item: unknown, type: SecretType): unknown {
  if (isLosslessNumber(item)) return item.value;
  const isNested = typeof item === "object" && item !== null;
  if (type === "custom") return isNested ? toText(item) : item;
  return typeof item === "number" && key !== "expiresAt" ? String(item) : item;
}

function toText(value: unknown): string {
  return isLosslessNumber(value) ? value.value : (formatJson(value) ?? "");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isLosslessNumber(value);
}

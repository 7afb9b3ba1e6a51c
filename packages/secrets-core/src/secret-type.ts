import { z } from "zod";
import { AutokestraError, quoteText } from "./errors.ts";
import { isIdentifier, isReserved } from "./secret-name.ts";
import { parseMoment, parseTimestamp, type Timestamp } from "./time.ts";

/** The five kinds of secret. */
export type SecretType = "apiKey" | "basicAuth" | "bearerToken" | "oauth" | "custom";

/** One value of a secret. Only `oauth.scopes` is a list. */
export type FieldValue = string | number | boolean | readonly string[];

/** All values of a secret, by field name. This is plaintext. */
export type SecretFields = Readonly<Record<string, FieldValue>>;

export const SECRET_TYPES: readonly SecretType[] = ["apiKey", "basicAuth", "bearerToken", "oauth", "custom"];

export const secretTypeSchema: z.ZodType<SecretType> = z.enum(SECRET_TYPES);

/** Reads the name of a type in any case and with any separator: `APIKey`, `api_key`. Returns null for none. */
export function parseSecretType(text: string): SecretType | null {
  const wanted = lettersOf(text);
  return SECRET_TYPES.find((type) => lettersOf(type) === wanted) ?? null;
}

/** The type that a mistyped name probably means: the one that begins alike. */
export function suggestSecretType(text: string): SecretType | null {
  const beginning = lettersOf(text).slice(0, 3);
  return SECRET_TYPES.find((type) => beginning.length === 3 && lettersOf(type).startsWith(beginning)) ?? null;
}

function lettersOf(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, "").toLowerCase();
}

const EMPTY = "Secret value cannot be empty";
const text = z.string().min(1, EMPTY);
const moment = z.union([z.string(), z.number()]).transform((input, context) => {
  const parsed = parseTimestamp(input);
  if (parsed === null) context.addIssue("must be a time, such as 2027-01-31 or 90d");
  return parsed ?? "";
});
const list = z.union([z.string().transform((words) => words.split(/[\s,]+/).filter(Boolean)), z.array(text)]);

function customFields(isFieldName: (text: string) => boolean) {
  return z
    .record(z.string().refine(isFieldName), z.union([text, z.number(), z.boolean()]))
    .refine((fields) => Object.keys(fields).length > 0, "needs at least one field");
}

const schemas = {
  apiKey: z.strictObject({ value: text }),
  basicAuth: z.strictObject({ username: text, password: text }),
  bearerToken: z.strictObject({ token: text, expiresAt: moment.exactOptional() }),
  oauth: z.strictObject({
    clientId: text,
    clientSecret: text,
    accessToken: text.exactOptional(),
    refreshToken: text.exactOptional(),
    tokenUrl: z.url("must be a URL").exactOptional(),
    scopes: list.exactOptional(),
    expiresAt: moment.exactOptional(),
  }),
  custom: customFields(isIdentifier),
} satisfies Record<SecretType, z.ZodType<SecretFields>>;

const importedCustom = customFields((name) => !isReserved(name));

/** The fields that a secret of this type must have; none for `custom`, which takes any. */
export const REQUIRED_FIELDS: Readonly<Record<SecretType, readonly string[]>> = {
  apiKey: ["value"],
  basicAuth: ["username", "password"],
  bearerToken: ["token"],
  oauth: ["clientId", "clientSecret"],
  custom: [],
};

/**
 * Checks the fields of a secret against its type. Times come back as ISO 8601 UTC, `scopes` as a list.
 *
 * @param name for the message only
 * @param now gives the moment that an `expiresAt` such as `90d` counts from. Default: such times are refused
 * @param keepsNames true where fields of a custom secret keep any name, because it comes from elsewhere: one that no reference can spell
 * is reached through the whole secret. Default: false
 * @throws AutokestraError `VALUE_EMPTY` or `VALUE_INVALID`; it names the fields that are wrong, never their values
 */
export function parseFields(
  name: string,
  type: SecretType,
  fields: unknown,
  now?: () => Timestamp,
  keepsNames = false,
): SecretFields {
  const dated = type === "custom" || now === undefined ? fields : withMoment(fields, now);
  const schema = type === "custom" && keepsNames ? importedCustom : schemas[type];
  const result = schema.safeParse(dated, { reportInput: true });
  if (result.success) return result.data;
  if (result.error.issues.some((issue) => issue.message === EMPTY)) {
    throw new AutokestraError("VALUE_EMPTY", EMPTY, { hint: `It is for the secret '${quoteText(name)}'.` });
  }
  const reasons = result.error.issues.map(describeIssue).join("; ");
  throw new AutokestraError("VALUE_INVALID", `Invalid ${type} secret '${quoteText(name)}': ${reasons}`, {
    hint: describeType(type),
  });
}

/** The fields with a time of expiry that is the same tomorrow. */
function withMoment(fields: unknown, now: () => Timestamp): unknown {
  if (typeof fields !== "object" || fields === null || !("expiresAt" in fields)) return fields;
  const { expiresAt } = fields;
  return typeof expiresAt === "string" ? { ...fields, expiresAt: parseMoment(expiresAt, now) ?? expiresAt } : fields;
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const field = issue.path.map((key) => quoteText(String(key))).join(".");
  if (issue.code === "unrecognized_keys") return `unknown field ${issue.keys.map(quoteText).join(", ")}`;
  if (issue.code === "invalid_type" || issue.code === "invalid_union") {
    if (field === "") return "fields must be an object";
    return `field ${field} ${issue.input === undefined ? "is missing" : "is not of the right type"}`;
  }
  if (issue.code === "invalid_key") return `invalid field name ${field}`;
  return field === "" ? issue.message : `field ${field} ${issue.message}`;
}

function describeType(type: SecretType): string {
  if (type === "custom") return "Type custom has one or more fields with text, numbers or booleans.";
  const optional = Object.keys(schemas[type].shape).filter((field) => !REQUIRED_FIELDS[type].includes(field));
  const more = optional.length > 0 ? `; optional: ${optional.join(", ")}` : "";
  return `Type ${type} needs ${REQUIRED_FIELDS[type].join(" and ")}${more}.`;
}

/**
 * The field that `{{ secrets.NAME }}` stands for, or null where a secret of this type has no single value.
 * apiKey: value, bearerToken: token, custom with exactly one field: that field.
 */
export function primaryField(type: SecretType, fieldNames: readonly string[]): string | null {
  if (type === "apiKey") return "value";
  if (type === "bearerToken") return "token";
  const [only] = fieldNames;
  return type === "custom" && fieldNames.length === 1 && only !== undefined ? only : null;
}

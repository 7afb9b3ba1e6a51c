import { AutokestraError, quoteText } from "./errors.ts";
import { isIdentifier, isReserved } from "./secret-name.ts";
import { parseMoment, parseTimestamp, type Timestamp } from "./time.ts";
import { isUrl } from "./url.ts";

/** The type of a secret, which decides its fields. */
export type SecretType = "apiKey" | "basicAuth" | "bearerToken" | "oauth" | "custom";

/** One value of a secret. Only `oauth.scopes` is a list. */
export type FieldValue = string | number | boolean | readonly string[];

/** All values of a secret by field name, in plaintext. */
export type SecretFields = Readonly<Record<string, FieldValue>>;

export const SECRET_TYPES: readonly SecretType[] = ["apiKey", "basicAuth", "bearerToken", "oauth", "custom"];

/** Tells whether a value is the exact name of a type. */
export function isSecretType(value: unknown): value is SecretType {
  return typeof value === "string" && Object.hasOwn(FIELDS, value);
}

/** Reads the name of a type in any case and with any separators: `APIKey`, `api_key`. Returns null if there is none. */
export function parseSecretType(text: string): SecretType | null {
  const wanted = lettersOf(text);
  return SECRET_TYPES.find((type) => lettersOf(type) === wanted) ?? null;
}

/** Returns the type that a mistyped name probably means: the one with the same first three letters, or null. */
export function suggestSecretType(text: string): SecretType | null {
  const beginning = lettersOf(text).slice(0, 3);
  return SECRET_TYPES.find((type) => beginning.length === 3 && lettersOf(type).startsWith(beginning)) ?? null;
}

function lettersOf(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, "").toLowerCase();
}

/** What a field accepts: text that is not empty, a time, a URL, or a list of texts (or one text with separators). */
export type FieldForm = "text" | "time" | "url" | "list";

interface FieldRule {
  readonly name: string;
  readonly form: FieldForm;
  readonly isRequired: boolean;
  /** Empty text is allowed if the caller asks for it. */
  readonly mayBeEmpty?: boolean;
}

/** The fields of each type, in the order in which they are stored. `custom` accepts any fields. */
const FIELDS: Readonly<Record<SecretType, readonly FieldRule[]>> = {
  apiKey: [required("value")],
  // API keys are often user names without a password.
  basicAuth: [required("username"), { ...required("password"), mayBeEmpty: true }],
  bearerToken: [required("token"), optional("expiresAt", "time")],
  oauth: [
    required("clientId"),
    required("clientSecret"),
    optional("accessToken", "text"),
    optional("refreshToken", "text"),
    optional("tokenUrl", "url"),
    optional("scopes", "list"),
    optional("expiresAt", "time"),
  ],
  custom: [],
};

function required(name: string): FieldRule {
  return { name, form: "text", isRequired: true };
}

function optional(name: string, form: FieldForm): FieldRule {
  return { name, form, isRequired: false };
}

/** Returns the required fields of a type; none for `custom`. */
function requiredFields(type: SecretType): readonly string[] {
  return FIELDS[type].filter(({ isRequired }) => isRequired).map(({ name }) => name);
}

const EMPTY = "Secret value cannot be empty";
const WRONG_TYPE = "is not of the right type";

/** The stored value of a field, or what is wrong with the input. */
type ReadField = { readonly value: FieldValue } | { readonly problem: string };

type FieldReader = (input: unknown) => ReadField;

const READERS: Readonly<Record<FieldForm, FieldReader>> = {
  text: readText,
  time(input) {
    if (typeof input !== "string" && !isNumber(input)) return { problem: WRONG_TYPE };
    const value = parseTimestamp(input);
    return value === null ? { problem: "must be a time, such as 2027-01-31 or 90d" } : { value };
  },
  url(input) {
    if (typeof input !== "string") return { problem: WRONG_TYPE };
    return isUrl(input) ? { value: input.trim().replace(/[\t\n\r]/g, "") } : { problem: "must be a URL" };
  },
  list(input) {
    if (typeof input === "string") {
      // No scope has them (RFC 6749, section 3.3): this is a list in JSON, which would be cut into wrong words.
      if (/["\\]/.test(input)) return { problem: "must be words with spaces between" };
      return { value: input.split(/[\s,]+/).filter(Boolean) };
    }
    if (!Array.isArray(input) || !input.every((text) => typeof text === "string")) return { problem: WRONG_TYPE };
    return input.includes("") ? { problem: EMPTY } : { value: input };
  },
};

function readText(input: unknown): ReadField {
  if (input === "") return { problem: EMPTY };
  return typeof input === "string" ? { value: input } : { problem: WRONG_TYPE };
}

/** Reads a field of a custom secret. */
function readScalar(input: unknown): ReadField {
  return isNumber(input) || typeof input === "boolean" ? { value: input } : readText(input);
}

function isNumber(input: unknown): input is number {
  return typeof input === "number" && Number.isFinite(input);
}

/** The fields that were read, and everything that is wrong with the others. */
interface ReadFields {
  readonly fields: Record<string, FieldValue>;
  /** Clauses for a message; {@link EMPTY} for each empty value. */
  readonly problems: string[];
}

/**
 * Checks the fields of a secret against its type, and returns them as they are stored: times as ISO 8601 in UTC,
 * `scopes` as a list. A `SecretService` calls it for every input; call it yourself for values that do not go into a
 * store.
 *
 * @param name used only in messages
 * @param fields an object with the value of each field
 * @param now returns the time that an `expiresAt` such as `90d` counts from. Default: such times are refused
 * @param keepsNames accept any field name in a custom secret. No reference can spell an unusual one, so such a field is
 * available only through the whole secret. Default: false
 * @param allowsEmpty accept an empty password in a basicAuth secret. Default: false
 * @throws AutokestraError `VALUE_EMPTY` or `VALUE_INVALID`; the message names the invalid fields, never their values
 *
 * @example
 * ```ts
 * import { hasCode, parseFields } from "@autokestra/secrets-core";
 *
 * const token = parseFields("CI", "bearerToken", { token: "demo-token", expiresAt: "2027-01-31" });
 * console.log(token["expiresAt"]); // prints 2027-01-31T00:00:00.000Z
 *
 * try {
 *   parseFields("DB", "basicAuth", { username: "ada" });
 * } catch (error) {
 *   if (!hasCode(error, "VALUE_INVALID")) throw error;
 *   console.log(error.message); // prints Invalid basicAuth secret 'DB': field password is missing
 * }
 * ```
 */
export function parseFields(
  name: string,
  type: SecretType,
  fields: unknown,
  now?: () => Timestamp,
  keepsNames = false,
  allowsEmpty = false,
): SecretFields {
  if (!isSecretType(type))
    throw new AutokestraError("VALUE_INVALID", `Secret '${quoteText(name)}' has an unknown type`);
  const read = type === "custom" ? readCustom(fields, keepsNames) : readTyped(type, fields, now, allowsEmpty);
  if (read.problems.length === 0) return read.fields;
  if (read.problems.includes(EMPTY)) {
    throw new AutokestraError("VALUE_EMPTY", EMPTY, { hint: `It is for the secret '${quoteText(name)}'.` });
  }
  const reasons = read.problems.join("; ");
  throw new AutokestraError("VALUE_INVALID", `Invalid ${type} secret '${quoteText(name)}': ${reasons}`, {
    hint: describeType(type),
  });
}

function readTyped(
  type: SecretType,
  input: unknown,
  now: (() => Timestamp) | undefined,
  allowsEmpty: boolean,
): ReadFields {
  if (!isObject(input)) return NOT_AN_OBJECT;
  const read: ReadFields = { fields: {}, problems: [] };
  for (const { name, form, isRequired, mayBeEmpty = false } of FIELDS[type]) {
    if (!isRequired && !Object.hasOwn(input, name)) continue;
    const given = Object.hasOwn(input, name) ? input[name] : undefined;
    const value = form === "time" ? fromNow(given, now) : given;
    if (value === "" && allowsEmpty && mayBeEmpty) read.fields[name] = value;
    else addField(read, name, value, READERS[form]);
  }
  const unknown = Object.keys(input).filter((field) => FIELDS[type].every(({ name }) => name !== field));
  if (unknown.length > 0) read.problems.push(`unknown field ${unknown.map(quoteText).join(", ")}`);
  return read;
}

function readCustom(input: unknown, keepsNames: boolean): ReadFields {
  if (!isObject(input)) return NOT_AN_OBJECT;
  const read: ReadFields = { fields: {}, problems: [] };
  for (const [field, value] of Object.entries(input)) {
    if (keepsNames ? isReserved(field) : !isIdentifier(field)) {
      read.problems.push(`invalid field name ${quoteText(field)}`);
    } else addField(read, field, value, readScalar);
  }
  if (Object.keys(input).length === 0) read.problems.push("needs at least one field");
  return read;
}

const NOT_AN_OBJECT: ReadFields = { fields: {}, problems: ["fields must be an object"] };

function addField({ fields, problems }: ReadFields, field: string, input: unknown, reader: FieldReader): void {
  const read = reader(input);
  if ("value" in read) fields[field] = read.value;
  else if (read.problem === EMPTY) problems.push(EMPTY);
  else problems.push(`field ${quoteText(field)} ${input === undefined ? "is missing" : read.problem}`);
}

function isObject(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

/** Makes a relative time such as `90d` absolute. */
function fromNow(expiresAt: unknown, now: (() => Timestamp) | undefined): unknown {
  return typeof expiresAt === "string" && now !== undefined ? (parseMoment(expiresAt, now) ?? expiresAt) : expiresAt;
}

function describeType(type: SecretType): string {
  if (type === "custom") return "Type custom has one or more fields with text, numbers or booleans.";
  const others = FIELDS[type].filter(({ isRequired }) => !isRequired).map(({ name }) => name);
  const more = others.length > 0 ? `; optional: ${others.join(", ")}` : "";
  return `Type ${type} needs ${requiredFields(type).join(" and ")}${more}.`;
}

/** Returns the fields of a type, in the order in which they are stored; none for `custom`, which accepts any. */
export function fieldRules(type: SecretType): readonly FieldRule[] {
  return FIELDS[type];
}

/** Returns the fields that a person is asked for: the required ones; `value` for a custom secret. */
export function fieldsToGive(type: SecretType): readonly string[] {
  return type === "custom" ? ["value"] : requiredFields(type);
}

/**
 * Returns the field that `{{ secrets.NAME }}` refers to: `value` of an apiKey, `token` of a bearerToken, the only field
 * of a custom secret. Null if the secret has no single value.
 */
export function primaryField(type: SecretType, fieldNames: readonly string[]): string | null {
  if (type === "apiKey") return "value";
  if (type === "bearerToken") return "token";
  const [only] = fieldNames;
  return type === "custom" && fieldNames.length === 1 && only !== undefined ? only : null;
}

/**
 * The fields of a secret for which a single value is given.
 *
 * @param name for the message only
 * @param current the fields that the secret has now: all but the one that the value is for stay. Null: it is a new one
 * @throws AutokestraError `VALUE_INVALID` where a secret of this type has no single value
 */
export function fieldsOfValue(
  name: string,
  type: SecretType,
  value: string,
  current: SecretFields | null,
): SecretFields {
  const [first, ...others] = fieldsToGive(type);
  const only = others.length === 0 ? (first ?? null) : null;
  const field = current === null ? only : primaryField(type, Object.keys(current));
  if (field !== null) return { ...current, [field]: value };
  throw new AutokestraError("VALUE_INVALID", `The ${type} secret '${quoteText(name)}' has no single value`, {
    hint: "Give its fields by their names.",
  });
}

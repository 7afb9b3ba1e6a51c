import {
  anything,
  array,
  assert,
  constantFrom,
  dictionary,
  double,
  object,
  oneof,
  property,
  record,
  string,
} from "fast-check";
import { expect, it } from "vitest";
import { z } from "zod";
import { parseFields, SECRET_TYPES, type SecretFields, type SecretType } from "../src/index.ts";
import { fieldsOfValue, isIdentifier, parseTimestamp } from "../src/internal.ts";

const text = z.string().min(1);
const moment = z.union([z.string(), z.number()]).transform((input, context) => {
  const parsed = parseTimestamp(input);
  if (parsed === null) context.addIssue("no time");
  return parsed;
});
const list = z.union([z.string().transform((words) => words.split(/[\s,]+/).filter(Boolean)), z.array(text)]);

/** What parseFields must take and refuse, in the words of another library. */
const REFERENCE: Readonly<Record<SecretType, z.ZodType>> = {
  apiKey: z.strictObject({ value: text }),
  basicAuth: z.strictObject({ username: text, password: text }),
  bearerToken: z.strictObject({ token: text, expiresAt: moment.exactOptional() }),
  oauth: z.strictObject({
    clientId: text,
    clientSecret: text,
    accessToken: text.exactOptional(),
    refreshToken: text.exactOptional(),
    tokenUrl: z.url().exactOptional(),
    scopes: list.exactOptional(),
    expiresAt: moment.exactOptional(),
  }),
  custom: z
    .record(z.string().refine(isIdentifier), z.union([text, z.number(), z.boolean()]))
    .refine((fields) => Object.keys(fields).length > 0),
};

const FIELD_NAMES = ["value", "username", "password", "token", "clientId", "clientSecret", "accessToken", "scopes"];

const value = oneof(
  string(),
  double(),
  constantFrom(
    "",
    "2027-01-31",
    "90d",
    " https://a.example/t\n",
    "https://a b/",
    "a, b",
    1_800_000_000,
    true,
    null,
    undefined,
  ),
  array(oneof(string(), anything())),
);

/** Near what one of the types takes. */
const fields = oneof(
  record(
    {
      value,
      username: value,
      password: value,
      token: value,
      clientId: value,
      clientSecret: value,
      tokenUrl: value,
      scopes: value,
      expiresAt: value,
    },
    { requiredKeys: [] },
  ),
  record({
    clientId: constantFrom("i"),
    clientSecret: constantFrom("s"),
    tokenUrl: value,
    scopes: value,
    expiresAt: value,
  }),
  record({ token: constantFrom("t"), expiresAt: value }),
  dictionary(oneof(constantFrom(...FIELD_NAMES), string()), value),
  object(),
  constantFrom(null, undefined, "text", 7, []),
);

/** What came of it, without what is said of it. */
function outcome(parse: () => unknown): unknown {
  try {
    return { fields: parse() };
  } catch {
    return "refused";
  }
}

it.each(SECRET_TYPES)("parseFields takes and refuses for %s what a schema does", (type) => {
  assert(
    property(fields, (input) => {
      // An own `__proto__`, which the schema drops in silence, is refused.
      if (typeof input === "object" && input !== null && Object.hasOwn(input, "__proto__")) return;
      expect(outcome(() => parseFields("N", type, input))).toEqual(outcome(() => REFERENCE[type].parse(input)));
    }),
    { numRuns: 1000 },
  );
});

it("refuses an own field __proto__ beside others instead of dropping it", () => {
  const input: unknown = JSON.parse('{"__proto__": "x", "a": "b"}');
  expect(() => parseFields("N", "custom", input)).toThrow("invalid field name __proto__");
  expect(() => parseFields("N", "custom", input, undefined, true)).toThrow("invalid field name __proto__");
});

it("takes an empty password only where that is meant, and no other empty field", () => {
  const parse = (username: string, allowsEmpty: boolean) =>
    parseFields("N", "basicAuth", { username, password: "" }, undefined, false, allowsEmpty);
  expect(parse("key", true)).toEqual({ username: "key", password: "" });
  expect(() => parse("key", false)).toThrow("Secret value cannot be empty");
  expect(() => parse("", true)).toThrow("Secret value cannot be empty");
  expect(() => parseFields("N", "apiKey", { value: "" }, undefined, false, true)).toThrow("cannot be empty");
});

it.each<[SecretType, SecretFields | null, SecretFields | null]>([
  ["apiKey", null, { value: "v" }],
  ["bearerToken", null, { token: "v" }],
  ["custom", null, { value: "v" }],
  ["basicAuth", null, null],
  ["oauth", null, null],
  ["apiKey", { value: "old" }, { value: "v" }],
  ["bearerToken", { token: "old", expiresAt: "e" }, { token: "v", expiresAt: "e" }],
  ["custom", { only: "old" }, { only: "v" }],
  ["custom", { a: "old", b: "old" }, null],
  ["basicAuth", { username: "u", password: "p" }, null],
])("a single value of %s, before: %j", (type, current, expected) => {
  const given = () => fieldsOfValue("N", type, "v", current);
  if (expected !== null) expect(given()).toEqual(expected);
  else expect(given).toThrow(`The ${type} secret 'N' has no single value`);
});

import { SECRET_TYPES, type SecretType } from "@autokestra/secrets-core";
import { type FieldForm, fieldRules, fieldsToGive, IDENTIFIER } from "@autokestra/secrets-core/internal";
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";

// What the description of the API says of bodies beyond their shape, which is checked where secrets are made.

/** A line without control characters. */
export const LINE = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/** Times that every month has, and days from now. The description lists the other accepted forms. */
export const TIME_PATTERN = "^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|[0-9]{1,3}d)$";

/** Times as seconds since 1970, or as milliseconds: from the year 0 to the end of the year 9999. */
export const TIME_RANGE = { type: "number", minimum: -62_167_219_200, maximum: 253_402_300_799_999 } as const;

/** JSON Schema. */
type Document = Readonly<Record<string, unknown>>;

const TEXT = { type: "string", minLength: 1 };

/** One form of a body for each kind of secret: with a single value, or with the fields of a type. */
export function documentNewSecret(): { readonly oneOf: Document[] } {
  const ofOneValue = SECRET_TYPES.filter((type) => fieldsToGive(type).length === 1);
  const single = { properties: { type: { enum: ofOneValue } }, required: ["value"], not: { required: ["fields"] } };
  return { oneOf: [single, ...SECRET_TYPES.flatMap((type) => documentFields(type))] };
}

function documentFields(type: SecretType): readonly Document[] {
  const form = (fields: Document, more: Document = {}, required: readonly string[] = []): Document => ({
    properties: { type: { const: type }, fields, ...more },
    // What has fields and no type is custom.
    required: type === "custom" ? ["fields"] : ["type", "fields", ...required],
    not: { required: ["value"] },
  });
  if (type === "custom") return [form(CUSTOM_FIELDS)];
  const rules = fieldRules(type);
  const fieldsOf = (isEmptyTaken: boolean): Document => ({
    type: "object",
    properties: Object.fromEntries(
      rules.map(({ name, form: kind, mayBeEmpty = false }) => [
        name,
        isEmptyTaken && mayBeEmpty ? { type: "string" } : documentField(kind),
      ]),
    ),
    required: rules.filter(({ isRequired }) => isRequired).map(({ name }) => name),
    additionalProperties: false,
  });
  if (!rules.some(({ mayBeEmpty }) => mayBeEmpty)) return [form(fieldsOf(false))];
  return [
    form(fieldsOf(false), { allowEmpty: { const: false } }),
    form(fieldsOf(true), { allowEmpty: { const: true } }, ["allowEmpty"]),
  ];
}

const CUSTOM_FIELDS: Document = {
  type: "object",
  minProperties: 1,
  propertyNames: { pattern: IDENTIFIER.source, maxLength: 255 },
  additionalProperties: {
    anyOf: [TEXT, { type: "boolean" }, { type: "integer", minimum: -(2 ** 53) + 1, maximum: 2 ** 53 - 1 }],
  },
};

function documentField(form: FieldForm): Document {
  if (form === "time") {
    return {
      anyOf: [{ type: "string", pattern: TIME_PATTERN }, TIME_RANGE],
    };
  }
  if (form === "url")
    return { type: "string", format: "uri", pattern: "^https://[a-z]{1,20}\\.[a-z]{2,10}/[a-z]{0,20}$" };
  return form === "list" ? { anyOf: [{ type: "array", items: TEXT }, TEXT] } : TEXT;
}

/** In the description, every call with a body must have it. Where the body can be null, it can be left out. */
export function markOptionalBodies(document: Parameters<TransformObject>[0]): ReturnType<TransformObject> {
  if (!("openapiObject" in document)) return document.swaggerObject;
  const calls = Object.values(document.openapiObject.paths ?? {}).flatMap((path) => Object.values(path ?? {}));
  for (const { requestBody } of calls as readonly { readonly requestBody?: DocumentedBody }[]) {
    const forms = requestBody?.content["application/json"]?.schema.anyOf ?? [];
    if (requestBody !== undefined && forms.some(({ type }) => type === "null")) requestBody.required = false;
  }
  return document.openapiObject;
}

type TransformObject = NonNullable<FastifyDynamicSwaggerOptions["transformObject"]>;

interface DocumentedBody {
  required: boolean;
  readonly content: Readonly<Record<string, { readonly schema: { readonly anyOf?: readonly { type?: unknown }[] } }>>;
}

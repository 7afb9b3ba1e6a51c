import { SECRET_TYPES } from "@autokestra/secrets-core";
import { IDENTIFIER, TIME_EXAMPLES } from "@autokestra/secrets-core/internal";
// Not "zod": of that, the bundle of the command has schemas that are built when they are used, which no document can be made of.
import { z } from "zod/v4";
import { documentNewSecret, LINE, TIME_PATTERN, TIME_RANGE } from "./documents.ts";

const ID = "UUID of the secret, or the number that it had where it was imported from";
const EXAMPLE_ID = "1b671a64-40d5-491e-99b0-da01ff1f3341";
export const TIME = "2026-11-30T12:00:00.000Z";

/** Keys of `meta` are for the document: what they describe is checked where secrets are made, which says more about it. */
const name = z
  .string()
  .max(1000)
  .describe("Letters, digits, underscore and hyphen, at most 255")
  .meta({ example: "GITHUB_TOKEN", pattern: IDENTIFIER.source, maxLength: 255 });
const value = z.string().describe("The single value of the secret").meta({ example: "s3cret-t0ken", minLength: 1 });
const type = z.string().max(100).meta({ enum: SECRET_TYPES });
const fields = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]))
  .describe("The values of the secret, by the fields of its type");
const description = z
  .string()
  .nullable()
  .describe("What it is for; null for none")
  .meta({ example: "token of the bot", maxLength: 1000, pattern: LINE });
const tags = z
  .array(z.string().meta({ minLength: 1, maxLength: 100, pattern: LINE }))
  .max(1000)
  .describe("Tags, instead of those that it has")
  .meta({ example: ["ci"] });
const expiresAt = z
  .union([z.string().meta({ pattern: TIME_PATTERN }), z.number().meta(TIME_RANGE)])
  .nullable()
  .describe("When it expires: a date, a time with an offset, seconds since 1970, or `90d`; null for never");
const fieldNames = z.array(z.string()).max(1000);
const publicFields = fieldNames.describe("Fields that are encrypted, but shown and not masked");
const maskFields = fieldNames.describe("Fields that are masked wherever they appear");
const allowEmpty = z.boolean().describe("Accept an empty password of a basicAuth secret");

/** What is in a list is checked where secrets are made. */
const allowList = (item: { readonly pattern?: string; readonly maxLength: number }) =>
  z
    .array(
      z
        .string()
        .max(300)
        .meta({ minLength: 1, ...item }),
    )
    .max(100);

const allow = z
  .strictObject({
    workflows: allowList({ pattern: IDENTIFIER.source, maxLength: 255 }).optional().describe("Ids of workflows"),
    taskTypes: allowList({ pattern: "^[a-z0-9-]{1,100}/[a-z0-9-]{1,100}\\.([a-z0-9-]{1,100}|\\*)$", maxLength: 300 })
      .optional()
      .describe("Types of tasks, such as core/http.*"),
    hosts: allowList({ maxLength: 260 })
      .optional()
      .describe(
        "Hosts that it may be sent to: name, name:port or *.name. Without taskTypes, by tasks of core/http only",
      ),
  })
  .nullable()
  .describe("Who may use it. A list replaces the one that it has, an empty one removes it; null: everybody")
  .meta({ example: { workflows: ["deploy"], hosts: ["api.example.com"] } });

/** What a new secret and a change have in common. */
const content = {
  value: value.optional(),
  fields: fields.optional(),
  description: description.optional(),
  tags: tags.optional(),
  expiresAt: expiresAt.optional(),
  allowEmpty: allowEmpty.optional(),
  publicFields: publicFields.optional(),
  maskFields: maskFields.optional(),
  allow: allow.optional(),
};

export const newSecretSchema = z
  .strictObject({
    name,
    type: type.optional().describe(`One of ${SECRET_TYPES.join(", ")}. Default: apiKey, with fields custom`),
    ...content,
  })
  .refine((body) => (body.value === undefined) !== (body.fields === undefined), "give either value or fields")
  .meta(documentNewSecret());

export const changeSchema = z
  .strictObject({ name: name.optional(), ...content })
  .refine((body) => body.value === undefined || body.fields === undefined, "give either value or fields")
  .meta({ not: { required: ["value", "fields"] } });

export const metadataSchema = z
  .object({
    id: z.uuid().meta({ example: EXAMPLE_ID }),
    name,
    type: z.enum(SECRET_TYPES),
    description,
    tags: z.array(z.string()),
    version: z.int().min(1).describe("Counts the values"),
    createdAt: z.iso.datetime().meta({ example: TIME }),
    updatedAt: z.iso.datetime().meta({ example: TIME }),
    expiresAt: z.iso.datetime().nullable(),
    allow: z
      .object({ workflows: z.array(z.string()), taskTypes: z.array(z.string()), hosts: z.array(z.string()) })
      .nullable()
      .optional()
      .describe("Who may use it, only where there is a rule; null: this version cannot read it, and nobody may"),
    deletedAt: z.iso.datetime().optional().describe("Only of a deleted secret"),
  })
  .describe("What may be shown of a secret: never a value");

export const metadataListSchema = z.array(metadataSchema);

export const revealedSchema = metadataSchema.extend({
  value: z
    .union([z.string(), z.number(), z.boolean()])
    .nullable()
    .describe("The single value; null where there is none"),
  fields,
});

export const fieldsSchema = z.array(
  z.object({
    name: z.string().meta({ example: "password" }),
    public: z.boolean().describe("Encrypted, but not masked"),
    masked: z
      .boolean()
      .describe("Masked wherever it appears; one that is neither is masked inside of credentials only"),
  }),
);

export const messageSchema = z.object({ message: z.string() });

export const problemSchema = z.object({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe("A sentence for people"),
  code: z.string().describe("What programs go by").meta({ example: "SECRET_NOT_FOUND" }),
  requestId: z.uuid(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** Others that a client sends stay as they are. */
export const ifMatchSchema = z.looseObject({
  "if-match": z
    .string()
    .optional()
    .describe("An ETag: change it only if it still has it. Default: whatever is there")
    .meta({ example: '"3"' }),
});
export const ifNoneMatchSchema = z.looseObject({
  "if-none-match": z.string().optional().describe("An ETag that the client has: 304 if it still is that one"),
});

const RESPONSE_HEADERS = {
  ETag: { type: "string", description: "The revision of the secret", pattern: '^"[0-9]+"$' },
  Location: { type: "string", description: "The path of the new secret" },
  Link: { type: "string", description: 'The next page, as rel="next"; not there on the last one' },
  "X-Total-Count": { type: "integer", minimum: 0, description: "How many secrets there are on all pages" },
} as const;

/** An answer with these headers, for the document. */
export function withHeaders<Schema extends z.ZodType>(
  answer: Schema,
  ...names: readonly (keyof typeof RESPONSE_HEADERS)[]
): Schema {
  return answer.meta({ headers: Object.fromEntries(names.map((header) => [header, RESPONSE_HEADERS[header]])) });
}

/** A name, a dot and an id. */
export const CURSOR: RegExp = /^([A-Za-z0-9_-]{1,255})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

export const count = (least: number, most: number) =>
  z.preprocess(
    // Digits only: `Number` also takes "", "0x10" and "1e2".
    (given) => (typeof given === "string" && /^\d{1,16}$/.test(given) ? Number(given) : given),
    z.int().min(least).max(most),
  );

/** A time in a query: what it is made of besides is in the text of the description. */
export const queryTime = z.union([
  z.string().max(100).meta({ pattern: TIME_PATTERN }),
  z.int().min(0).max(TIME_RANGE.maximum),
]);

export const listQuerySchema = z.strictObject({
  skip: count(0, 1_000_000).optional().describe("How many to leave out at the beginning"),
  limit: count(1, 1000).default(100).describe("The maximum number of secrets"),
  type: type.optional(),
  tag: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe("A tag that the secrets have; may be repeated"),
  prefix: z.string().max(255).optional().describe("What their names begin with"),
  expiresBefore: queryTime
    .optional()
    .describe(`A time before which they expire: ${TIME_EXAMPLES}, seconds since 1970`)
    .meta({ example: "90d" }),
  state: z.enum(["active", "deleted", "all"]).optional(),
  cursor: z
    .string()
    .max(1000)
    .regex(CURSOR, "is not one that the server has given")
    .optional()
    .describe("Where the page before ended, from its Link header"),
});

export const idSchema = z.strictObject({ id: z.string().describe(ID).meta({ example: EXAMPLE_ID }) });
export const nameSchema = z.strictObject({ name: z.string().meta({ example: "GITHUB_TOKEN" }) });
export const noQuerySchema = z.strictObject({});
export const revealQuerySchema = z.strictObject({
  version: count(1, Number.MAX_SAFE_INTEGER).optional().describe("An older version. Default: the current one"),
  field: z.string().max(255).optional().describe("The one field that is wanted. Default: all"),
});
export const deleteQuerySchema = z.strictObject({
  purge: z.enum(["true", "false"]).default("false").describe("Remove it for good, with all versions"),
});
export const rollbackSchema = z.strictObject({ to: z.int().min(1).describe("The version to store again") });
export const emptyBodySchema = z.strictObject({}).nullish();

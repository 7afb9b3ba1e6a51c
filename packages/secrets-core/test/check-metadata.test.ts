import {
  anything,
  array,
  assert,
  constantFrom,
  double,
  integer,
  oneof,
  option,
  property,
  record,
  string,
} from "fast-check";
import { expect, it } from "vitest";
import { z } from "zod";
import { SECRET_TYPES } from "../src/index.ts";
import { isIdentifier, isMetadata, parseTimestamp } from "../src/internal.ts";
import { sampleSecret } from "../src/testing/index.ts";

const { metadata } = sampleSecret("A", { tags: ["ci"], description: "for CI" });

const timestamp = z.string().refine((time) => parseTimestamp(time) === time);
const line = z.string().regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u);

/** What the predicates of the table must say, in the words of another library. */
const reference = z.object({
  id: z.uuid(),
  name: z.string().refine(isIdentifier),
  type: z.enum(SECRET_TYPES),
  description: line.max(1000).nullable(),
  tags: z.array(line.min(1).max(100)),
  version: z.int().positive(),
  revision: z.int().positive(),
  createdAt: timestamp,
  updatedAt: timestamp,
  expiresAt: timestamp.nullable(),
  deletedAt: timestamp.nullable(),
  importedId: z.int().nonnegative().nullable(),
  policy: z.string().nullable(),
});

/** Near what is right, on both sides. A column has the type that its table says. */
const text = oneof(
  constantFrom("", "A", "__proto__", "apiKey", "toString", "ü", "a\n", "a\u2028", "x".repeat(100), "x".repeat(1001)),
  constantFrom("1b671a64-40d5-491e-99b0-da01ff1f3341", "1B671A64-40D5-491E-99B0-DA01FF1F3341", "1b671a64"),
  constantFrom("ffffffff-ffff-ffff-ffff-ffffffffffff", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
  constantFrom(
    "2026-02-28T23:59:59.999Z",
    "2026-02-29T00:00:00.000Z",
    "2028-02-29T00:00:00.000Z",
    "0000-01-01T00:00:00.000Z",
  ),
  constantFrom(
    "2026-01-31T24:00:00.000Z",
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.000Z\n",
    "2026-13-01T00:00:00.000Z",
  ),
  string(),
);
const number = oneof(integer(), double(), constantFrom(0, -0, 2 ** 53));
const columns = oneof(
  record({ key: constantFrom("id", "name", "type", "createdAt", "updatedAt"), value: text }),
  record({ key: constantFrom("description", "expiresAt", "deletedAt", "policy"), value: option(text) }),
  record({ key: constantFrom("version", "revision"), value: number }),
  record({ key: constantFrom("importedId"), value: option(number) }),
  record({ key: constantFrom("tags"), value: oneof(array(text), anything()) }),
);

it("says what a schema says, whatever a column holds", () => {
  assert(
    property(columns, ({ key, value }) => {
      const changed = { ...metadata, [key]: value };
      expect(isMetadata(changed)).toBe(reference.safeParse(changed).success);
    }),
    { numRuns: 5000 },
  );
});

it("lets pass what a store keeps", () => {
  expect(isMetadata(metadata)).toBe(true);
});

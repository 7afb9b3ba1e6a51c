import type { SecretMetadata } from "@autokestra/secrets-core";
import {
  createMetadataReader,
  fieldNames,
  METADATA_FIELDS,
  type MetadataFields,
} from "@autokestra/secrets-core/internal";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import { expect, it } from "vitest";
import { library } from "../../sqlite/test/open-database.ts";
import { createRowFormat, ROWS } from "../src/rows.ts";

type Extended = SecretMetadata & { readonly owner: string | null };

/** The table of today with one more row: a field that is not authenticated. */
const fields: MetadataFields<keyof Extended> = {
  ...METADATA_FIELDS,
  owner: {
    kind: "text",
    isNullable: true,
    keptWith: "current version",
    aad: [],
    isInMac: false,
    json: "if set",
    inLayout1: { value: null },
    isValid: (value) => typeof value === "string" && value !== "",
  },
};

const { metadata } = sampleSecret("A", { tags: ["ci"] });
const owned: Extended = { ...metadata, owner: "ana" };

it("one more field is a row of the table: schema, rows, checks and JSON follow from it", () => {
  const format = createRowFormat<Extended>(fields);
  const reader = createMetadataReader<Extended>(fields);
  const database = library.openInMemory();
  database.exec(`CREATE TABLE secrets (${format.definitions.join(", ")}) STRICT`);
  const insert = database.prepare(`INSERT INTO secrets VALUES (${format.columns.map(() => "?").join(", ")})`);
  const envelope = ["mac", 2, "key", Buffer.alloc(12), Buffer.alloc(16), Buffer.alloc(1)];
  insert.run(...format.toValues(owned, true), ...envelope);
  const older = format.toValues({ ...owned, version: 2 }, false);
  insert.run(...older, null, ...envelope.slice(1));
  const select = database
    .prepare(`SELECT ${format.metadataColumns.join(", ")} FROM secrets WHERE is_current = ?`)
    .raw();
  const read = format.toMetadata(select.get(1) as never);
  expect(read).toEqual(owned);
  expect(format.toMetadata(select.get(0) as never, owned)).toEqual({ ...owned, version: 2 });
  expect(database.prepare("SELECT owner FROM secrets WHERE is_current = 0").pluck().get()).toBe(null);
  expect(() => insert.run(...format.toValues(owned, false).slice(0, -1), "ana", null, ...envelope.slice(1))).toThrow(
    "CHECK",
  );
  expect(reader.isValid(read)).toBe(true);
  expect(reader.invalid({ ...owned, owner: "" })).toEqual(["owner"]);
  expect(Object.entries(reader.toJson(owned)).at(-1)).toEqual(["owner", "ana"]);
  expect(reader.toJson({ ...owned, owner: null })).not.toHaveProperty("owner");
  database.close();
});

it("what is bound to the ciphertext or covered by the MAC stays as it is", () => {
  const authenticated = [1, 2].map((format) => fieldNames(fields, ({ aad }) => aad.some((one) => one === format)));
  expect(authenticated).toEqual([
    ["id", "name", "type", "version", "expiresAt"],
    ["id", "name", "type", "version", "expiresAt", "policy"],
  ]);
  expect(fieldNames(fields, ({ isInMac }) => isInMac)).toEqual(fieldNames(METADATA_FIELDS));
});

it("the columns of today are those that stores have", () => {
  expect(ROWS.columns.join(" ")).toBe(
    "namespace name is_current deleted_at version revision id type description tags created_at updated_at expires_at imported_id " +
      "policy mac format key_id nonce tag ciphertext",
  );
});

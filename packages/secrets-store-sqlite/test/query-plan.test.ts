import type { SecretFilter } from "@autokestra/secrets-core";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { createListQuery } from "../src/list-query.ts";
import { createSchema } from "../src/migrations.ts";
import { prepareStatements } from "../src/statements.ts";

const database = new Database(":memory:");
createSchema(database);

/** One line per table or index that SQLite visits; parameters do not matter to it. */
function plan(sql: string): string[] {
  const values = (sql.match(/@\w+/g) ?? []).map((name) => [name.slice(1), 1]);
  const positions = (sql.match(/\?/g) ?? []).map(() => 1);
  const statement = database.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`);
  return statement.all(...positions, Object.fromEntries(values)).map(({ detail }) => detail);
}

const statements = Object.entries(prepareStatements(database)).filter(
  ([name]) => !["readHeader", "insertHeader", "replaceHeader", "insert"].includes(name),
);

it.each(statements)("%s goes by an index", (name, { source }) => {
  const steps = plan(source);
  // What was deleted has an index of its own: all of it may be looked at.
  const walk = "SCAN secrets USING COVERING INDEX secrets_deleted";
  const searches = steps.filter((step) => step.startsWith("SEARCH") || (name === "deletedBefore" && step === walk));
  expect(searches.length).toBeGreaterThan(0);
  expect(steps.filter((step) => /SCAN|TEMP B-TREE/.test(step) && !searches.includes(step))).toEqual([]);
});

it.each<[string, SecretFilter]>([
  ["SCAN entry USING COVERING INDEX secrets_current", { limit: 50 }],
  ["SEARCH entry USING COVERING INDEX secrets_current (name>?)", { limit: 50, after: "A" }],
  ["SEARCH entry USING COVERING INDEX secrets_current (name>? AND name<?)", { limit: 50, prefix: "A", after: "B" }],
  ["SEARCH entry USING COVERING INDEX secrets_current (name>?)", { limit: 50, after: "A", tags: ["a"], state: "all" }],
  ["SEARCH entry USING COVERING INDEX secrets_type (type=?)", { limit: 50, type: "oauth" }],
  ["SEARCH entry USING COVERING INDEX secrets_type (type=? AND name>?)", { limit: 50, type: "oauth", after: "A" }],
  ["SCAN entry USING COVERING INDEX secrets_expiry", { limit: 50, expiresBefore: "2027" }],
  ["SEARCH entry USING COVERING INDEX secrets_expiry (name>?)", { limit: 50, expiresBefore: "2027", after: "A" }],
  ["SCAN entry USING COVERING INDEX secrets_deleted", { limit: 50, state: "deleted", type: "oauth" }],
  ["SEARCH entry USING COVERING INDEX secrets_deleted (name>?)", { limit: 50, state: "deleted", after: "A" }],
])("a page is a piece of an index, in its order: %s for %o", (walk, filter) => {
  const [first, second, ...rest] = plan(createListQuery(filter).sql);
  expect([first, second]).toEqual([walk, expect.stringMatching(/^SEARCH row USING INTEGER PRIMARY KEY/)]);
  expect(rest.filter((step) => step.includes("TEMP B-TREE"))).toEqual([]);
});

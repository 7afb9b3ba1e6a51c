import type { SecretFilter } from "@autokestra/secrets-core";
import type { Database } from "@autokestra/sqlite";
import { expect, it } from "vitest";
import { library } from "../../sqlite/test/open-database.ts";
import { createSchema } from "../src/schema.ts";
import { createListQuery, prepareStatements } from "../src/statements.ts";

const database = library.openInMemory();
createSchema(database);

/** One line per table or index that SQLite visits; parameters do not matter to it. */
function plan(sql: string): string[] {
  const names = (sql.match(/@\w+/g) ?? []).map((name) => [name.slice(1), 1]);
  const positions = (sql.match(/\?/g) ?? []).map(() => 1);
  const statement = database.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`);
  return statement.all(...(names.length > 0 ? [Object.fromEntries(names)] : positions)).map(({ detail }) => detail);
}

/** What looks at one row that is always there, at all rows on purpose, or at none. */
const OTHERS = ["readHeader", "insertHeader", "replaceHeader", "insert", "insertAnchor", "anchors", "usedKeys"];
const statements = Object.entries(sourcesOf(prepareStatements)).filter(([name]) => !OTHERS.includes(name));

/** The SQL of each statement. */
function sourcesOf(prepare: (database: Database) => object): Readonly<Record<string, string>> {
  const sources = new Map<unknown, string>();
  const prepared = prepare({
    ...database,
    prepare<Parameters extends unknown[], Row>(sql: string) {
      const statement = database.prepare<Parameters, Row>(sql);
      sources.set(statement, sql);
      return statement;
    },
  });
  return Object.fromEntries(Object.entries(prepared).map(([name, statement]) => [name, sources.get(statement) ?? ""]));
}

it.each(statements)("%s goes by an index", (name, source) => {
  const steps = plan(source);
  // What was deleted has an index of its own: all of it may be looked at.
  const walk = "SCAN secret_versions USING COVERING INDEX deleted_by_name";
  const searches = steps.filter((step) => step.startsWith("SEARCH") || (name === "deletedBefore" && step === walk));
  expect(searches.length).toBeGreaterThan(0);
  expect(steps.filter((step) => /SCAN|TEMP B-TREE/.test(step) && !searches.includes(step))).toEqual([]);
});

const ID = "1b671a64-40d5-491e-99b0-da01ff1f3341";

it.each<[string, SecretFilter]>([
  ["current_by_name (namespace=?)", { limit: 50 }],
  ["current_by_name (namespace=? AND name>?)", { limit: 50, after: "A" }],
  ["current_by_name (namespace=? AND (name,id)>(?,?))", { limit: 50, after: "A", afterId: ID }],
  ["current_by_name (namespace=? AND name>? AND name<?)", { limit: 50, prefix: "A", after: "B" }],
  ["current_by_name (namespace=? AND name=?)", { limit: 50, name: "A", state: "all" }],
  ["current_by_name (namespace=? AND name>?)", { limit: 50, after: "A", tags: ["a"], state: "all" }],
  ["current_by_type (namespace=? AND type=?)", { limit: 50, type: "oauth" }],
  ["current_by_type (namespace=? AND type=? AND name>?)", { limit: 50, type: "oauth", after: "A" }],
  ["current_by_type (namespace=? AND type=? AND (name,id)>(?,?))", { type: "oauth", after: "A", afterId: ID }],
  ["current_by_expiry (namespace=?)", { limit: 50, expiresBefore: "2027" }],
  ["current_by_expiry (namespace=? AND name>?)", { limit: 50, expiresBefore: "2027", after: "A" }],
  ["current_by_imported_id (namespace=? AND imported_id=?)", { limit: 2, importedId: 7 }],
  ["current_by_imported_id (namespace=? AND imported_id=?)", { limit: 2, importedId: 7, state: "all" }],
  ["deleted_by_name (namespace=?)", { limit: 50, state: "deleted", type: "oauth" }],
  ["deleted_by_name (namespace=? AND name>?)", { limit: 50, state: "deleted", after: "A" }],
  ["deleted_by_name (namespace=? AND name=?)", { state: "deleted", name: "A" }],
])("a page is a piece of an index, in its order: %s for %o", (walk, filter) => {
  const [first, second, ...rest] = plan(createListQuery(filter).sql);
  expect(first).toBe(`SEARCH entry USING COVERING INDEX ${walk}`);
  expect(second).toMatch(/^SEARCH row USING INTEGER PRIMARY KEY/);
  expect(rest.filter((step) => step.includes("TEMP B-TREE"))).toEqual([]);
});

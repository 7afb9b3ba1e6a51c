import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const file = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");

/** The pages with the keys that have limits. */
const PAGES = ["configuration.md", "audit.md", "server.md", "serve-workflows.md", "providers/README.md"];
const page = (name: string) => file(`../../../docs/${name}`);
const ROWS = PAGES.flatMap((name) => page(name).split("\n")).filter((line) => line.startsWith("|"));
const SCHEMA = JSON.parse(file("../schema.json"));
const { providers, ...ownProperties } = SCHEMA.properties;

const LIMITS = ["minimum", "maximum", "exclusiveMinimum", "maxLength", "maxItems"];

/** Every limit in a JSON Schema: the key that it is of, and the number as the pages write it. */
function limitsOf(schema: object, key: string): readonly (readonly [key: string, limit: string])[] {
  return Object.entries(schema).flatMap(([name, value]) => {
    if (LIMITS.includes(name) && Math.abs(value) < Number.MAX_SAFE_INTEGER) return [[key, grouped(value)] as const];
    if (typeof value !== "object" || value === null) return [];
    if (name !== "properties") return limitsOf(value, key);
    return Object.entries<object>(value).flatMap(([property, inner]) => limitsOf(inner, property));
  });
}

function keysOf(schema: object): readonly string[] {
  return Object.entries(schema).flatMap(([name, value]) => {
    if (typeof value !== "object" || value === null) return [];
    return [...(name === "properties" ? Object.keys(value) : []), ...keysOf(value)];
  });
}

/** The keys below one, with all keys above them: `server.jwt.issuer`. */
function pathsOf(schema: object, above: string): readonly string[] {
  return Object.entries(schema).flatMap(([name, value]) => {
    if (typeof value !== "object" || value === null) return [];
    if (name !== "properties") return pathsOf(value, above);
    return Object.entries<object>(value).flatMap(([key, inner]) => {
      const path = `${above}.${key}`;
      return [path, ...pathsOf(inner, path)];
    });
  });
}

function grouped(value: number): string {
  return value < 10_000 ? String(value) : String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, " ");
}

const limits = new Map(limitsOf(SCHEMA, "").map((limit) => [limit.join(), limit]));
// The version of a bound secret: what each provider takes is on its page.
limits.delete("version,0");

it("there are limits to tell of", () => {
  expect([...limits.keys()]).toContain("timeoutSeconds,60");
  expect([...limits.keys()]).toContain("keepDays,36 500");
});

it.each([...limits.values()])("the row of `%s` in the documentation names its limit %s", (key, limit) => {
  const rows = ROWS.filter((row) => row.includes(`\`${key}\``) || row.includes(`.${key}\``));
  const whole = new RegExp(`(?<!\\d|\\d )${limit}(?!\\d| \\d)`);
  expect(rows.filter((row) => whole.test(row))).not.toEqual([]);
});

function expectKeys(schema: object, text: string): void {
  const keys = keysOf(schema);
  expect(keys).not.toEqual([]);
  expect(keys.filter((key) => !new RegExp(`\\b${key}\\b`).test(text))).toEqual([]);
}

it("every key is in the documentation", () => {
  expectKeys({ properties: ownProperties }, PAGES.map(page).join("\n"));
});

it("every key of the server and of the audit log has a row in the table of the configuration", () => {
  const rows = page("configuration.md")
    .split("\n")
    .map((line) => line.split("|")[1] ?? "")
    .join();
  const paths = ["server", "audit"].flatMap((key) => pathsOf(ownProperties[key], key));
  // `server.keys` has one key, and no meaning of its own; a role has any name.
  const known = new Set(["server.keys", "server.roles", "audit.sink"]);
  expect(paths).toContain("server.jwt.tagsClaim");
  expect(paths.filter((path) => !rows.includes(`\`${path}\``) && !known.has(path))).toEqual([]);
});

it.each<[string, object]>(
  providers.additionalProperties.anyOf.map((schema: { properties: { type: { const: string } } }) => [
    schema.properties.type.const,
    schema,
  ]),
)("every key of the provider %s is on its page", (type, schema) => {
  expectKeys(schema, page("providers/README.md") + page(`providers/${type}.md`));
});

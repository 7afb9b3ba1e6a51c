import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const IMPORT = /^(?:import|export)\s(type\s)?[^;]*?\sfrom "([^"]+)";/gms;

/** The packages that a file of `src` needs, with those of the files that it imports. @param ofTypes those of its types, too */
function packagesOf(entry: string, ofTypes: boolean): ReadonlySet<string> {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const path = fileURLToPath(new URL(`../src/${file}`, import.meta.url));
    for (const [, type, from = ""] of readFileSync(path, "utf8").matchAll(IMPORT)) {
      if (type !== undefined && !ofTypes) continue;
      if (from.startsWith("./")) visit(from.slice(2));
      else packages.add(from);
    }
  };
  visit(entry);
  expect(seen.size).toBeGreaterThan(5);
  return packages;
}

const ENGINE = ["@autokestra/engine", "@autokestra/engine/internal", "@autokestra/runs", "croner"];
const OF_A_SERVER = ["@fastify/swagger", "prom-client", "jose"];

describe("what is loaded", () => {
  it.each([
    ["index.ts", true, ENGINE],
    ["secrets-api.ts", true, ENGINE],
    ["secrets-api.ts", false, OF_A_SERVER],
  ])("%s needs no package that is not for it", (entry, ofTypes, others) => {
    const packages = packagesOf(entry, ofTypes);
    expect(packages).toContain("@autokestra/secrets");
    expect(others.filter((name) => packages.has(name))).toEqual([]);
  });

  it("runs.ts needs the engine", () => {
    expect(ENGINE.filter((name) => packagesOf("runs.ts", true).has(name))).toEqual(ENGINE);
  });
});

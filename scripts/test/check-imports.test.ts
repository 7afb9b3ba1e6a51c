import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkWorkspace } from "../check-imports.mjs";

const fixtures = fileURLToPath(new URL("fixtures/imports/", import.meta.url));

/** Each folder of fixtures but `empty` and `clean` is laid over `clean`; it must give these violations and no other. */
const violations: Record<string, string[]> = {
  "no-sources": ["0 packages/secrets-providers/package.json:1 has no sources in src/ or bin/"],
  "no-parse": ["0 packages/secrets-resolver/src/index.ts:2 Unexpected token"],
  "leads-nowhere": [
    "0 packages/secrets-resolver/src/index.ts:1 imports ./gone.ts, which leads to no source of this package",
  ],
  "unread-source": [
    "0 packages/secrets-resolver/src/index.ts:1 imports ../lib/helper.ts, which leads to no source of this package",
  ],
  "package-circle": [
    "1 packages/secrets-resolver/package.json:10 @autokestra/secrets-store-file -> @autokestra/secrets-resolver -> @autokestra/secrets-store-file",
  ],
  "file-circle": [
    "1 packages/engine/src/deep/c.ts:1 packages/engine/src/a.ts -> packages/engine/src/b.ts -> packages/engine/src/deep/c.ts -> packages/engine/src/a.ts",
  ],
  "type-circle": [
    "1 packages/engine/src/b.ts:1 packages/engine/src/a.ts -> packages/engine/src/b.ts -> packages/engine/src/a.ts",
  ],
  "self-circle": ["1 packages/engine/src/a.ts:1 packages/engine/src/a.ts -> packages/engine/src/a.ts"],
  "masker-imports-node": ["2 packages/secrets-masker/src/mask.ts:1 imports node:util"],
  "masker-imports-type": ["2 packages/secrets-masker/src/mask.ts:2 imports @autokestra/secrets-core"],
  "masker-declares": ["2 packages/secrets-masker/package.json:7 imports ahocorasick"],
  "store-imports-crypto": ["3 packages/secrets-store-file/src/index.ts:1 imports node:crypto"],
  "app-loads-crypto": ["3 apps/cli/src/main.ts:1 imports crypto"],
  "engine-gets-builtin": ["3 packages/engine/src/index.ts:1 imports node:crypto"],
  "engine-requires-crypto": ["3 packages/engine/src/index.ts:4 imports crypto"],
  "resolver-uses-subtle": [
    "3 packages/secrets-resolver/src/index.ts:2 uses crypto.subtle",
    "3 packages/secrets-resolver/src/index.ts:3 uses crypto.subtle",
    "3 packages/secrets-resolver/src/index.ts:4 uses crypto.subtle",
  ],
  neighbour: ["4 packages/secrets-resolver/src/index.ts:2 imports @autokestra/secrets-masker"],
  "src-imports-test-kit": ["4 packages/secrets-resolver/src/index.ts:1 imports @autokestra/test-kit"],
  "neighbour-required": ["4 packages/secrets-resolver/src/index.ts:1 imports @autokestra/secrets-masker"],
  "neighbour-declared": ["4 packages/secrets-resolver/package.json:8 imports @autokestra/secrets-masker"],
  "plugin-imports-core": ["4 packages/plugins-core/src/index.ts:1 imports @autokestra/secrets-core"],
  "package-imports-engine": ["4 packages/plugin-sdk/src/index.ts:1 imports @autokestra/engine"],
  "engine-imports-crypto": ["4 packages/engine/src/index.ts:1 imports @autokestra/secrets-crypto"],
  undeclared: ["4 packages/secrets-resolver/src/index.ts:1 imports zod, which its package.json does not declare"],
  "undeclared-dev": [
    "4 packages/secrets-resolver/src/index.ts:1 imports vitest, which its package.json does not declare",
  ],
  "deep-by-name": [
    "4 packages/secrets-resolver/src/index.ts:1 imports @autokestra/secrets-core/src/time.ts, a file inside another package",
  ],
  "deep-by-path": [
    "4 packages/secrets-resolver/src/index.ts:1 imports ../../secrets-core/src/time.ts, a file inside another package",
  ],
  computed: ["4 packages/secrets-resolver/src/index.ts:2 imports a module by a computed name, which cannot be checked"],
  stranger: ["4 packages/secrets-cache/package.json:1 @autokestra/secrets-cache is not in the picture"],
  "app-imports-store": ["5 apps/cli/src/main.ts:1 imports @autokestra/secrets-store-file"],
  "app-bin-imports-crypto-package": ["5 apps/cli/bin/autokestra.mjs:2 imports @autokestra/secrets-crypto"],
  "app-imports-path": [
    "5 apps/cli/src/main.ts:1 imports ../../../packages/secrets-masker/src/mask.ts, a file inside another package",
  ],
  "core-imports-node": ["6 packages/secrets-core/src/time.ts:1 imports node:fs"],
  "core-imports-library": ["6 packages/secrets-core/src/time.ts:2 imports zod-extra"],
  "core-declares": ["6 packages/secrets-core/package.json:9 imports yaml"],
  "core-globals": [
    ["Date", 3, 4, 5, 6, 7],
    ["Math", 8, 9],
    ["performance", 10],
    ["crypto", 11],
    ["globalThis", 12],
    ["process", 13, 14],
    ["console", 15],
    ["fetch", 16],
    ["setTimeout", 17],
    ["setInterval", 18],
    ["Date", 20],
  ].flatMap(([name, ...lines]) => lines.map((line) => `6 packages/secrets-core/src/time.ts:${line} uses ${name}`)),
};

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "imports-"));
});
afterEach(() => {
  rmSync(tree, { recursive: true });
});

function check(...layers: string[]): ReturnType<typeof checkWorkspace> & { lines: string[] } {
  for (const layer of layers) cpSync(join(fixtures, layer), tree, { recursive: true });
  const result = checkWorkspace(tree);
  const lines = result.violations.map(({ rule, file, line, what }) => `${rule} ${file}:${line} ${what}`);
  return { ...result, lines };
}

it("finds nothing in clean packages, and has read them", () => {
  const { packages, modules, lines } = check("clean");
  expect(lines).toEqual([]);
  expect({ packages, modules }).toEqual({ packages: 10, modules: 14 });
});

it("is red without packages", () => {
  expect(check("empty").lines).toEqual(["0 pnpm-workspace.yaml:1 leads to no package"]);
});

it.each(Object.entries(violations))("is red for %s", (folder, expected) => {
  expect(check("clean", folder).lines).toEqual(expected);
});

it("has an expectation for each planted violation", () => {
  const planted = readdirSync(fixtures).filter((name) => name !== "clean" && name !== "empty");
  expect(planted).toEqual(Object.keys(violations).toSorted());
});

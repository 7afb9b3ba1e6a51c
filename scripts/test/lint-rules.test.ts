import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, toolEnvironment } from "../run.mjs";
import { repository } from "../workspace.mjs";

/** Of each rule that this repository has chosen, one planted violation. */
const OXLINT: Readonly<Record<string, string>> = {
  "import(no-cycle)": 'export { b } from "./no-cycle-2.ts";\nexport const a = 1;\n',
  "import(no-self-import)": 'export { a as b } from "./no-self-import.ts";\nexport const a = 1;\n',
  "typescript(no-floating-promises)": "export function f(): void {\n  Promise.resolve();\n}\n",
  "typescript(no-misused-promises)":
    "export const f = (list: number[]): void => list.forEach(async () => await null);\n",
  "typescript(await-thenable)": "export const f = async (): Promise<number> => await 1;\n",
  "typescript(return-await)": "export async function f(): Promise<void> {\n  return Promise.resolve();\n}\n",
  "typescript(switch-exhaustiveness-check)":
    'export function f(x: "a" | "b"): number {\n  switch (x) {\n    case "a":\n      return 1;\n  }\n  return 2;\n}\n',
  "typescript(no-explicit-any)": "export const f = (x: any): unknown => x;\n",
  "typescript(no-non-null-assertion)": "export const f = (x?: number): number => x!;\n",
  "eslint(no-eval)": 'export const f = (): unknown => eval("1");\n',
  "eslint(no-new-func)": 'export const f = (): unknown => new Function("return 1");\n',
  // TypeScript itself.
  "typescript(TS2322)": 'export const a: number = "1";\n',
};

const BIOME: Readonly<Record<string, string>> = {
  "lint/style/noDefaultExport": "export default 1;\n",
  "lint/style/noNonNullAssertion": "export const f = (x?: number): number => x!;\n",
  "lint/style/useNodejsImportProtocol": 'export { join } from "path";\n',
  "lint/style/useImportType": 'import { Stats } from "node:fs";\n\nexport const f = (x: Stats): Stats => x;\n',
  "lint/suspicious/noExplicitAny": "export const f = (x: any): unknown => x;\n",
  "lint/suspicious/noSkippedTests": 'import { it } from "vitest";\n\nit.skip("a", () => undefined);\n',
  "lint/suspicious/noFocusedTests": 'import { it } from "vitest";\n\nit.only("a", () => undefined);\n',
  "lint/suspicious/noEmptyBlockStatements": "export const f = (): void => {};\n",
  "lint/style/useFilenamingConvention": "",
};

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lint-rules-"));
  for (const name of [".oxlintrc.json", "biome.json", "tsconfig.base.json"])
    cpSync(join(repository, name), join(folder, name));
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  plant("tsconfig.json", '{ "extends": "./tsconfig.base.json", "include": ["*/*.ts"] }\n');
  plant("oxlint/no-cycle-2.ts", 'import type { a } from "./no-cycle.ts";\n\nexport const b: typeof a = 1;\n');
  for (const [rule, source] of Object.entries(OXLINT)) plant(`oxlint/${fileOf(rule)}`, source);
  for (const [rule, source] of Object.entries(BIOME)) plant(`biome/${fileOf(rule)}`, source);
  run("git", ["init", "--quiet"], { cwd: folder });
});

afterAll(() => rmSync(folder, { recursive: true }));

function plant(file: string, source: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), source);
}

/** `no-cycle.ts`, `noDefaultExport` as `no-default-export.ts`; the rule for file names has a file with a wrong one. */
function fileOf(rule: string): string {
  const name = rule.replace(/^.*[/(]/, "").replace(")", "");
  if (name === "useFilenamingConvention") return "WrongName.ts";
  return `${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.ts`;
}

describe("each rule is red for a planted violation", () => {
  it("of oxlint", () => {
    const { stdout } = run("oxlint", ["--type-aware", "--type-check", "--deny-warnings", "--format=json", "oxlint"], {
      cwd: folder,
    });
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly { code: string; filename: string }[] };
    const found = new Set(diagnostics.map(({ code, filename }) => `${code} ${filename}`));
    for (const rule of Object.keys(OXLINT)) expect(found).toContain(`${rule} oxlint/${fileOf(rule)}`);
  });

  it("of biome", () => {
    const args = ["lint", "--reporter=json", "--max-diagnostics=none", "biome"];
    // It keeps something in the home.
    const { stdout } = run("biome", args, { cwd: folder, env: { ...toolEnvironment(), HOME: folder } });
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: readonly { category: string; location: { path: unknown } }[];
    };
    const found = new Set(diagnostics.map(({ category, location }) => `${category} ${JSON.stringify(location.path)}`));
    for (const rule of Object.keys(BIOME)) {
      expect(
        [...found].some((each) => each.startsWith(`${rule} `) && each.includes(`biome/${fileOf(rule)}`)),
        rule,
      ).toBe(true);
    }
  });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkSamples, examplesOf } from "../packages/run-samples.mjs";
import { repository } from "../workspace.mjs";

const README = '# made-up\n\n```ts\nimport { double } from "made-up";\n\nconsole.log(double(2));\n```\n\n```\n4\n```\n';

/** The docstring of a function with this example. */
function source(example: string, fence = "```ts"): string {
  const lines = ["Doubles a number.", "", "@example", fence, ...example.split("\n"), "```"];
  return `/**\n${lines.map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */\nexport function double() {}\n`;
}

const IMPORT = 'import { double } from "made-up";\n';

describe("checkSamples", () => {
  let place: string;
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), "samples-"));
  });
  afterEach(() => {
    rmSync(place, { recursive: true });
  });

  /** Checks a package with these samples as it is installed. */
  function check({ readme = README, src = "" }) {
    const root = join(place, "node_modules", "made-up");
    mkdirSync(join(root, "src"), { recursive: true });
    const manifest = { name: "made-up", type: "module", exports: { types: "./index.d.ts", default: "./index.js" } };
    writeFileSync(join(root, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(root, "index.js"), "export const double = (number) => 2 * number;\n");
    writeFileSync(join(root, "index.d.ts"), "export declare function double(number: number): number;\n");
    writeFileSync(join(root, "README.md"), readme);
    writeFileSync(join(root, "src", "double.ts"), src);
    return checkSamples(place, [{ place, name: "made-up" }], [[join(repository, "node_modules/typescript/bin/tsc")]]);
  }

  it("runs the first sample of the README and every example", () => {
    const samples = check({ src: source(`${IMPORT}console.log(double(4)); // prints 8`) });
    expect(samples.map(({ name, isRun }) => ({ name, isRun }))).toEqual([
      { name: "README-1", isRun: true },
      { name: "src-double-4", isRun: true },
    ]);
  });

  it("begins an example when the one before has printed everything", () => {
    const late = `${IMPORT}setTimeout(() => console.log(double(4)), 50); // prints 8`;
    const next = `${IMPORT}console.log(double(5)); // prints 10`;
    expect(check({ src: source(late) + source(next) })).toHaveLength(3);
  });

  it("only compiles an example that is marked, and later samples of the README", () => {
    const endless = `${IMPORT}throw new Error(String(double(1)));`;
    const samples = check({
      readme: `${README}\n\`\`\`ts\n${endless}\n\`\`\`\n\n\`\`\`ts\nimport { it } from "vitest";\n\`\`\`\n`,
      src: source(endless, "```ts no-run"),
    });
    expect(samples.map(({ isRun }) => isRun)).toEqual([true, false, false]);
  });

  it.each([
    [
      "an example that does not compile",
      { src: source(`${IMPORT}double("4");`) },
      /src-double-4\.mts\(2,8\): error TS2345/,
    ],
    [
      "a marked example that does not compile",
      { src: source(`${IMPORT}double("4");`, "```ts no-run") },
      /error TS2345/,
    ],
    [
      "an example that throws",
      { src: source('throw new Error("broken");') },
      /ended with 1[\s\S]*src-double-4\.mjs[\s\S]*broken/,
    ],
    [
      "an example that waits for nothing",
      { src: source("await new Promise(() => {});\nexport {};") },
      "src-double-4 does not come to its end",
    ],
    [
      "an example that prints something else",
      { src: source(`${IMPORT}console.log(double(4)); // prints 9`) },
      "src-double-4 of made-up says that it prints\n9\nand prints\n8\n",
    ],
    [
      "a sample of the README that prints something else",
      { readme: README.replace("\n4\n", "\n5\n") },
      "README-1 of made-up says that it prints\n5\nand prints\n4\n",
    ],
    ["a README without a sample", { readme: "# made-up\n" }, "the README of made-up has no sample"],
    [
      "a README without output",
      { readme: `${README.slice(0, README.indexOf("```\n\n```"))}\`\`\`\n` },
      "the README of made-up has no sample",
    ],
  ])("refuses %s", (_, files, message) => {
    expect(() => check(files)).toThrow(message);
  });
});

describe("examplesOf", () => {
  it("names each example after its line", () => {
    const text = `const one = 1;\n\n${source("one();")}\n${source("two();\n\ntwo();")}`;
    expect(examplesOf("src/adapters/masks.ts", text)).toEqual([
      { name: "src-adapters-masks-6", code: "one();\n", isRun: true },
      { name: "src-adapters-masks-16", code: "two();\n\ntwo();\n", isRun: true },
    ]);
  });

  it("refuses an example without a block of code", () => {
    const text = "/**\n * Doubles.\n *\n * @example double(2)\n */\n";
    expect(() => examplesOf("src/double.ts", text)).toThrow("src/double.ts:1 has an @example without a block of code");
  });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { checkFiles, checkTarball } from "../packages/check-tarball.mjs";
import { mustRun } from "../run.mjs";

const sound = ["LICENSE", "README.md", "dist/index.d.ts", "dist/index.js", "dist/testing/index.js", "package.json"];
const mapped = [...sound, ...sound.slice(2, 5).map((file) => `${file}.map`), "src/index.ts", "src/testing/index.ts"];

it("has nothing to say about a sound package", () => {
  expect(checkFiles([...sound, "dist/THIRD_PARTY_NOTICES.txt"])).toEqual([]);
  expect(checkFiles(mapped)).toEqual([]);
});

it.each([
  "secret.key",
  ".env",
  "dist/.env.js",
  "dist/secrets.db",
  "dist/fixtures/sample.js",
  "dist/test/index.js",
  "dist/secret.test.js",
  "dist/index.ts",
  "dist/index.mjs.map",
  "dist/notes.txt",
  "test/index.ts",
  "tsconfig.json",
  "docs/README.md",
])("refuses %s", (file) => {
  expect(checkFiles([...sound, file])).toEqual([`${file} does not belong there`]);
});

it("refuses built files among the sources", () => {
  expect(checkFiles([...mapped, "src/index.js"])).toEqual(["src/index.js does not belong there"]);
});

it.each(["LICENSE", "README.md", "package.json"])("misses %s", (file) => {
  expect(checkFiles(sound.filter((other) => other !== file))).toEqual([`${file} is not there`]);
});

it.each(["dist/index.js.map", "dist/index.d.ts.map", "src/testing/index.ts"])(
  "misses %s, as others have theirs",
  (file) => {
    expect(checkFiles(mapped.filter((other) => other !== file))).toEqual([`${file} is not there`]);
  },
);

it("misses the build", () => {
  expect(checkFiles(["LICENSE", "README.md", "package.json"])).toEqual(["dist is not there"]);
});

describe("checkTarball", () => {
  const entry = { types: "./dist/index.d.ts", default: "./dist/index.js" };
  const built = ["dist/index.js", "dist/index.d.ts", "dist/b.js"];
  const files = ["README.md", "LICENSE", ...built, ...built.map((file) => `${file}.map`), "src/index.ts", "src/b.ts"];

  /** Checks a package with these files, without text, and these exports. */
  async function check(exports: Record<string, object> | undefined, more: object = {}): Promise<string[]> {
    const folder = mkdtempSync(join(tmpdir(), "tarball-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const manifest = { name: "made-up", version: "1.0.0", type: "module", ...(exports && { exports }), ...more };
    for (const file of [...files, "package.json"]) {
      const path = join(folder, "package", file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, file === "package.json" ? JSON.stringify(manifest) : "export {};\n");
    }
    const path = join(folder, "made-up.tgz");
    mustRun("tar", ["-czf", path, "-C", folder, "package"]);
    return await checkTarball({ path, files: [...files, "package.json"], manifest });
  }

  it("passes a sound package, and a command without publint and attw", async () => {
    expect(await check({ ".": entry })).toEqual(["files", "publint", "attw"]);
    expect(await check(undefined, { bin: "./dist/index.js" })).toEqual(["files"]);
  });

  it("tells all that is wrong, with the name of the package", async () => {
    const wrong = check({
      ".": { default: "./dist/index.js", types: "./dist/index.d.ts" },
      "./b": { default: "./dist/b.js" },
    });
    await expect(wrong).rejects.toThrow(
      /^made-up\n {2}publint: .*types should be the first[\s\S]*attw: .*UntypedResolution/,
    );
  });

  it("refuses a package without exports and command, and one of the workspace", async () => {
    await expect(check(undefined)).rejects.toThrow("it has neither exports nor a command");
    await expect(check({ ".": { "@autokestra/source": "./src/index.ts", ...entry } })).rejects.toThrow(
      "package.json still says @autokestra/source",
    );
  });
});

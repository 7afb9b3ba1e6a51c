import { expect, it } from "vitest";
import { checkFiles } from "../packages/check-tarball.mjs";

const sound = ["LICENSE", "README.md", "dist/index.d.ts", "dist/index.js", "dist/testing/index.js", "package.json"];

it("has nothing to say about a sound package", () => {
  expect(checkFiles([...sound, "dist/THIRD_PARTY_NOTICES.txt"])).toEqual([]);
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
  "dist/index.js.map",
  "dist/notes.txt",
  "src/index.js",
  "tsconfig.json",
  "docs/README.md",
])("refuses %s", (file) => {
  expect(checkFiles([...sound, file])).toEqual([`${file} does not belong there`]);
});

it.each(["LICENSE", "README.md", "package.json"])("misses %s", (file) => {
  expect(checkFiles(sound.filter((other) => other !== file))).toEqual([`${file} is not there`]);
});

it("misses the build", () => {
  expect(checkFiles(["LICENSE", "README.md", "package.json"])).toEqual(["dist is not there"]);
});

import { expect, it } from "vitest";
import { checkFiles } from "../packages/check-tarball.mjs";

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

import { join } from "node:path";
import { expect, it } from "vitest";
import { readJson, readWorkspace, repository } from "../workspace.mjs";

const root = readJson(join(repository, "package.json"));
const packages = readWorkspace(repository);
const byName = new Map(packages.map(({ manifest }) => [manifest.name, manifest]));

/** Whether a package is, or needs, the one that relies on the owners and modes of POSIX files. A bundle needs what it is built from. */
function needsPosix(name: string): boolean {
  const manifest = byName.get(name);
  if (manifest === undefined) return false;
  const { dependencies, devDependencies, bin } = manifest;
  const needed = Object.keys({ ...dependencies, ...(bin === undefined ? {} : devDependencies) });
  return name === "@autokestra/private-files" || needed.some(needsPosix);
}

it.each(packages)("$folder says of itself what the root says", ({ folder, manifest }) => {
  const place = root.homepage.replace("#readme", "");
  expect(manifest).toMatchObject({
    license: root.license,
    engines: root.engines,
    homepage: `${place}/tree/main/${folder}#readme`,
    bugs: root.bugs,
    repository: { ...root.repository, directory: folder },
  });
});

it("one address stands for homepage, bugs and repository", () => {
  const place = root.homepage.replace("#readme", "");
  expect(root).toMatchObject({ bugs: `${place}/issues`, repository: { type: "git", url: `git+${place}.git` } });
});

it.each(packages)("$folder names the systems it runs on, where that is not all", ({ manifest }) => {
  expect(manifest.os).toEqual(needsPosix(manifest.name) ? ["darwin", "linux"] : undefined);
});

it("knows packages of both kinds", () => {
  expect(needsPosix("@autokestra/cli")).toBe(true);
  expect(needsPosix("@autokestra/secrets-masker")).toBe(false);
});

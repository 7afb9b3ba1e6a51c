import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repository } from "../workspace.mjs";

const text = readFileSync(join(repository, "ARCHITECTURE.md"), "utf8");

/** The folders by the names that the document calls them: `packages/secrets-core` (core). */
const folders = new Map(
  [...text.matchAll(/^\| `((?:packages|apps)\/(?:secrets-)?([\w-]+))`(?: \(([\w-]+)\))? \|/gm)].map(
    ([, folder = "", name = "", short]) => [short ?? name, folder],
  ),
);

/** Files and folders, as they are named: `core/secret.ts`, `web/runs/`. */
const paths = [
  ...new Set([...text.matchAll(/`([\w.-]+\/[\w./-]+(?:\.(?:tsx?|mjs|md|yml)|\/))`/g)].map(([, path = ""]) => path)),
];

describe("ARCHITECTURE.md", () => {
  it("names files that exist", () => {
    expect(paths.length).toBeGreaterThan(150);
    expect(paths.filter((path) => !existsSync(fullPath(path)))).toEqual([]);
  });

  it("has a row for each package", () => {
    const packages = ["packages", "apps"].flatMap((folder) =>
      readdirSync(join(repository, folder)).map((name) => `${folder}/${name}`),
    );
    expect([...folders.values()].toSorted()).toEqual(packages.toSorted());
  });
});

function fullPath(path: string): string {
  const [name = "", ...rest] = path.split("/");
  const folder = folders.get(name);
  return join(repository, ...(folder === undefined ? [path] : [folder, "src", ...rest]));
}

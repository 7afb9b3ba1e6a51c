import { join } from "node:path";
import { npxPnpm } from "../pnpm.mjs";
import { mustRun, toolEnvironment } from "../run.mjs";
import { readWorkspace, repository } from "../workspace.mjs";

/** Where npm keeps what it has downloaded, wherever HOME is: the next check does not download it again. */
export const npmEnvironment = {
  ...toolEnvironment(),
  npm_config_cache: join(repository, "node_modules", ".cache", "npm"),
};

/**
 * @typedef {object} Tarball A package as the registry would get it.
 * @property {string} path
 * @property {string[]} files Paths inside the package.
 * @property {import("../workspace.mjs").Manifest} manifest As published, with workspace: and catalog: resolved.
 */

/**
 * Packs every public package of the workspace.
 *
 * @param {string} folder Where the tarballs go.
 * @returns {Tarball[]}
 */
export function packPackages(folder) {
  const names = readWorkspace(repository)
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ manifest }) => manifest.name);
  if (names.length === 0) throw new Error("the workspace has no public package");
  const filters = names.map((name) => `--filter=${name}`);
  const packed = JSON.parse(
    mustRun("npx", [...npxPnpm, "-r", ...filters, "pack", "--json", "--pack-destination", folder], {
      env: npmEnvironment,
    }),
  );
  /** @type {{ name: string, filename: string }[]} */
  const list = Array.isArray(packed) ? packed : [packed];
  if (list.length !== names.length) throw new Error(`packed ${list.length} of ${names.length} packages`);
  return list.map(({ filename }) => openTarball(filename));
}

/**
 * @param {string} path
 * @returns {Tarball}
 */
function openTarball(path) {
  const files = mustRun("tar", ["-tzf", path]).trim().split("\n");
  const manifest = JSON.parse(mustRun("tar", ["-xzOf", path, join("package", "package.json")]));
  return { path, files: files.map((file) => file.replace(/^package\//, "")).toSorted(), manifest };
}

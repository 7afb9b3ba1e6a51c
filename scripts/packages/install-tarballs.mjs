import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { mustRun } from "../run.mjs";
import { readJson, readWorkspace, repository } from "../workspace.mjs";

const BINARY = join("node_modules", "better-sqlite3", "build", "Release", "better_sqlite3.node");

/**
 * Installs all tarballs with npm in a folder, as a user would. Returns the number of packages that came to lie there.
 *
 * @param {string} folder Empty, and outside of the workspace.
 * @param {readonly import("./pack.mjs").Tarball[]} tarballs
 * @returns {number}
 */
export function installTarballs(folder, tarballs) {
  const dependencies = Object.fromEntries(tarballs.map(({ path, manifest }) => [manifest.name, `file:${path}`]));
  // Where one of our packages asks for another, it gets the tarball and never something of the same name from the registry.
  const overrides = Object.fromEntries(tarballs.map(({ manifest }) => [manifest.name, `$${manifest.name}`]));
  const manifest = { name: "consumer", private: true, type: "module", dependencies, overrides };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  mustRun("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  copyBinary(folder);
  return checkOrigins(folder, tarballs);
}

/**
 * Installs one package as its user would, with nothing beside it but what it needs itself. What is optional is left out, and so is
 * better-sqlite3, unless the package is about SQLite or its sample needs it.
 *
 * @param {string} folder Empty, and outside of the workspace.
 * @param {string} name
 * @param {readonly import("./pack.mjs").Tarball[]} tarballs
 */
export function installAlone(folder, name, tarballs) {
  const files = Object.fromEntries(tarballs.map(({ path, manifest }) => [manifest.name, `file:${path}`]));
  const { [name]: own, ...overrides } = files;
  const manifest = { name: "consumer", private: true, type: "module", dependencies: { [name]: own }, overrides };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  const withSqlite = /(sqlite|\/runs)$/.test(name);
  const omit = withSqlite ? [] : ["--omit=optional"];
  mustRun("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...omit], { cwd: folder });
  if (withSqlite) copyBinary(folder);
}

/**
 * better-sqlite3 is the only dependency with an install script, and compiling it takes over a minute. The workspace has built the same
 * version from the same sources already, so its binary is copied, and only that; npm is told to run no scripts.
 *
 * @param {string} folder
 */
function copyBinary(folder) {
  const target = join(folder, BINARY);
  const versionFile = join(dirname(target), "..", "..", "package.json");
  if (!existsSync(versionFile)) return;
  const from = readWorkspace(repository)
    .map((member) => join(repository, member.folder, BINARY))
    .find((path) => existsSync(path));
  if (from === undefined)
    throw new Error("better-sqlite3 is not built in the workspace: run `node scripts/pnpm.mjs rebuild`");
  const built = readJson(join(dirname(from), "..", "..", "package.json")).version;
  const installed = readJson(versionFile).version;
  if (built !== installed) throw new Error(`better-sqlite3: the workspace built ${built}, npm installed ${installed}`);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(from, target);
}

/**
 * @param {string} folder
 * @param {readonly import("./pack.mjs").Tarball[]} tarballs
 */
function checkOrigins(folder, tarballs) {
  /** @type {[string, { resolved?: string }][]} */
  const entries = Object.entries(readJson(join(folder, "package-lock.json")).packages);
  const ours = entries.filter(([path]) =>
    tarballs.some(({ manifest }) => path.endsWith(`node_modules/${manifest.name}`)),
  );
  const strangers = ours.filter(([, { resolved }]) => !resolved?.startsWith("file:"));
  if (strangers.length > 0 || ours.length !== tarballs.length) {
    throw new Error(`expected ${tarballs.length} packages from tarballs, found ${JSON.stringify(ours, null, 2)}`);
  }
  return entries.length - 1;
}

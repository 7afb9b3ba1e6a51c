import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { mustRun } from "../run.mjs";
import { readJson, readWorkspace, repository } from "../workspace.mjs";
import { npmEnvironment } from "./pack.mjs";

const BINARY = join("node_modules", "better-sqlite3", "build", "Release", "better_sqlite3.node");

/**
 * Installs all tarballs with npm in a folder, as a user would. Returns the number of packages that came to lie there.
 *
 * @param {string} folder Empty, and outside of the workspace.
 * @param {readonly import("./pack.mjs").Tarball[]} tarballs
 * @param {Readonly<Record<string, string>>} tools What the user has for development, with its version.
 * @returns {number}
 */
export function installTarballs(folder, tarballs, tools) {
  const dependencies = Object.fromEntries(tarballs.map(({ path, manifest }) => [manifest.name, `file:${path}`]));
  // Where one of our packages asks for another, it gets the tarball and never something of the same name from the registry.
  const overrides = Object.fromEntries(tarballs.map(({ manifest }) => [manifest.name, `$${manifest.name}`]));
  const manifest = {
    name: "consumer",
    private: true,
    type: "module",
    dependencies,
    devDependencies: tools,
    // Every cookie that this asks for says it needs Node 22. A server that listens never loads either of the two.
    overrides: { ...lockedVersions(), ...tools, ...overrides, "light-my-request": { cookie: "1.1.1" } },
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  // What the cache has is not asked for again: the versions are those of the lockfile.
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  mustRun("npm", ["install", ...options], { cwd: folder, env: npmEnvironment });
  copyBinary(folder);
  return checkOrigins(folder, tarballs);
}

/**
 * What others publish must not change what is checked here: of each package that the lockfile has in one version, npm takes that one.
 *
 * @returns {Record<string, string>}
 */
function lockedVersions() {
  const { packages } = parse(readFileSync(join(repository, "pnpm-lock.yaml"), "utf8"));
  /** @type {Map<string, string[]>} */
  const versions = new Map();
  for (const key of Object.keys(packages)) {
    const at = key.lastIndexOf("@");
    const name = key.slice(0, at);
    versions.set(name, [...(versions.get(name) ?? []), key.slice(at + 1)]);
  }
  return Object.fromEntries(
    [...versions].flatMap(([name, [version = "", ...others]]) => (others.length > 0 ? [] : [[name, version]])),
  );
}

/**
 * Gives one package a folder of its own, with nothing beside it but what it needs itself: what its user would get. All of that is taken
 * from the install of all packages. What is optional is left out, and so is better-sqlite3, unless the package is about SQLite or its
 * sample needs it.
 *
 * @param {string} folder Empty, and on the disk of `consumer`: the files are linked.
 * @param {string} name
 * @param {string} consumer Where npm has installed all packages.
 */
export function installAlone(folder, name, consumer) {
  const { packages } = readJson(join(consumer, "package-lock.json"));
  for (const path of findNeeded(packages, name, /(sqlite|\/(runs|server))$/.test(name)))
    linkFiles(join(consumer, path), join(folder, path));
}

/**
 * @typedef {object} LockedPackage
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [optionalDependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, { optional?: boolean }>} [peerDependenciesMeta]
 *
 * @param {Readonly<Record<string, LockedPackage>>} packages Of a package-lock.json, by path.
 * @param {string} name
 * @param {boolean} withOptional
 */
function findNeeded(packages, name, withOptional) {
  const needed = new Set([`node_modules/${name}`]);
  // What is added on the way is visited too.
  for (const path of needed) {
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta = {} } = packages[path] ?? {};
    const peers = Object.keys(peerDependencies ?? {}).filter((peer) => peerDependenciesMeta[peer]?.optional !== true);
    for (const other of [...Object.keys(dependencies ?? {}), ...peers]) {
      const found = findPackage(packages, path, other);
      if (found === undefined) throw new Error(`${path} needs ${other}, which npm has not installed`);
      needed.add(found);
    }
    for (const other of withOptional ? Object.keys(optionalDependencies ?? {}) : []) {
      const found = findPackage(packages, path, other);
      // It may be for another platform.
      if (found !== undefined) needed.add(found);
    }
  }
  return needed;
}

/**
 * Where an import of a package leads, as Node.js looks for it: beside the importer, then further and further up.
 *
 * @param {Readonly<Record<string, unknown>>} packages
 * @param {string} importer
 * @param {string} name
 */
function findPackage(packages, importer, name) {
  for (let folder = `${importer}/`; ; folder = folder.slice(0, folder.lastIndexOf("node_modules/"))) {
    const path = `${folder}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === "") return undefined;
  }
}

/** All files of a package, without the packages inside it. @param {string} from @param {string} to */
function linkFiles(from, to) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (!entry.isDirectory()) linkSync(source, target);
    else if (entry.name !== "node_modules") linkFiles(source, target);
  }
}

/**
 * better-sqlite3 is the only dependency with an install script, and compiling it takes over a minute. The workspace has built the same
 * version from the same sources already, so only its binary is copied, and npm runs no scripts.
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

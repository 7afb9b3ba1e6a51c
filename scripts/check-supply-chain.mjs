// FAULTS N1, N2, N3 and N5: what this workspace takes from others, and under which conditions.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installation } from "./test.mjs";
import { readJson, readWorkspace, repository } from "./workspace.mjs";

/**
 * @typedef {object} Fault A row of FAULTS and what was found.
 * @property {string} id
 * @property {string} figure
 * @property {boolean} pass
 */

/** Seven days, in minutes. */
const RELEASE_AGE = 7 * 24 * 60;

/** Packages so close to the plaintext that no third party may be among their dependencies. */
const ALONE = ["@autokestra/secrets-crypto", "@autokestra/secrets-masker", "@autokestra/secrets-resolver"];

/**
 * Checks the workspace at `root`, which must be installed.
 *
 * @param {string} root
 * @returns {Fault[]}
 */
export function checkSupplyChain(root) {
  const settings = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");
  return [
    checkInstallScripts(join(root, "node_modules", ".pnpm"), settings),
    checkSettings(settings),
    checkLockfile(readFileSync(join(root, "pnpm-lock.yaml"), "utf8")),
    checkLoners(root),
  ];
}

/**
 * N1: at most three installed packages run code when they are installed, and all are allowed to. What pnpm ignores does not run.
 *
 * @param {string} store
 * @param {string} settings
 * @returns {Fault}
 */
export function checkInstallScripts(store, settings) {
  /** @param {string} name */
  const listed = (name) => {
    const [, list = ""] = new RegExp(`^${name}:\\n((?: +- .*\\n?)*)`, "m").exec(settings) ?? [];
    return new Set(list.split("\n").map((line) => line.replace(/^ *- "?|"$/g, "")));
  };
  const allowed = listed("onlyBuiltDependencies");
  const ignored = listed("ignoredBuiltDependencies");
  const installed = readInstalled(store);
  const scripted = installed.filter(runsAtInstall).map(({ name }) => name);
  const running = new Set(scripted.filter((name) => !ignored.has(name)));
  const names = [...running].toSorted().join(", ") || "none";
  return {
    id: "N1",
    figure: `${installed.length} installed packages, ${running.size} with install scripts: ${names}`,
    pass: installed.length > 0 && running.size <= 3 && [...running].every((name) => allowed.has(name)),
  };
}

/**
 * Every package of pnpm's store, by folder.
 *
 * @param {string} store
 * @returns {{ name: string, folder: string }[]}
 */
function readInstalled(store) {
  return readdirSync(store)
    .map((entry) => join(store, entry, "node_modules"))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { withFileTypes: true })
        .flatMap((entry) => {
          if (!entry.name.startsWith("@")) return entry.isDirectory() ? [entry.name] : [];
          const inScope = readdirSync(join(folder, entry.name), { withFileTypes: true });
          return inScope.filter((inner) => inner.isDirectory()).map((inner) => `${entry.name}/${inner.name}`);
        })
        .map((name) => ({ name, folder: join(folder, name) })),
    )
    .filter(({ folder }) => existsSync(join(folder, "package.json")));
}

/** @param {{ folder: string }} installed */
function runsAtInstall({ folder }) {
  const { scripts = {} } = readJson(join(folder, "package.json"));
  // Without a script of its own, a binding.gyp makes npm run node-gyp.
  return (
    ["preinstall", "install", "postinstall"].some((name) => name in scripts) || existsSync(join(folder, "binding.gyp"))
  );
}

/**
 * N2: young releases, dependencies from odd places, lost signatures and a moving lockfile are refused.
 *
 * @param {string} settings
 * @returns {Fault}
 */
export function checkSettings(settings) {
  /** @param {string} name */
  const setting = (name) => new RegExp(`^${name}: (.+)$`, "m").exec(settings)?.[1];
  const held = {
    minimumReleaseAge: Number(setting("minimumReleaseAge")) >= RELEASE_AGE,
    blockExoticSubdeps: setting("blockExoticSubdeps") === "true",
    strictDepBuilds: setting("strictDepBuilds") === "true",
    trustPolicy: setting("trustPolicy") === "no-downgrade",
    frozenLockfile: installation.join(" ") === "install --frozen-lockfile",
  };
  const lacking = Object.entries(held)
    .filter(([, holds]) => !holds)
    .map(([name]) => name);
  const count = Object.keys(held).length;
  const rest = lacking.length === 0 ? "" : `, lacking: ${lacking.join(", ")}`;
  return { id: "N2", figure: `${count - lacking.length} of ${count} settings${rest}`, pass: lacking.length === 0 };
}

/**
 * N3: every entry of the lockfile is a release of the registry with a SHA-512. An entry of any other form counts against it.
 *
 * @param {string} lockfile
 * @returns {Fault}
 */
export function checkLockfile(lockfile) {
  const [, packages = ""] = /^packages:\n([\s\S]*?)^snapshots:$/m.exec(lockfile) ?? [];
  const entries = packages.split(/^(?= {2}\S)/m).filter((entry) => entry.trim() !== "");
  const release = /^ {2}'?(@[\w.-]+\/)?[\w.-]+@\d[\w.+-]*'?:\n {4}resolution: \{integrity: sha512-[\w+/]{86}==\}\n/;
  const good = entries.filter((entry) => release.test(entry)).length;
  const other = entries.length - good;
  return {
    id: "N3",
    figure: `${entries.length} lock entries, ${good} with sha512, ${other} without or from git or a URL`,
    pass: entries.length > 0 && other === 0,
  };
}

/**
 * N5: no third party in the packages that hold plaintexts.
 *
 * @param {string} root
 * @returns {Fault}
 */
function checkLoners(root) {
  const manifests = new Map(readWorkspace(root).map(({ manifest }) => [manifest.name, manifest]));
  const found = ALONE.flatMap((name) => {
    const manifest = manifests.get(name);
    if (manifest === undefined) return [`${name} is not there`];
    const { dependencies, optionalDependencies, peerDependencies } = manifest;
    const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
    return names.filter((other) => !other.startsWith("@autokestra/")).map((other) => `${name} needs ${other}`);
  });
  const rest = found.length === 0 ? "" : `: ${found.join(", ")}`;
  return {
    id: "N5",
    figure: `${found.length} third parties in ${ALONE.length} packages${rest}`,
    pass: found.length === 0,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = checkSupplyChain(repository);
  for (const { id, figure, pass } of faults) console.log(`${pass ? "ok    " : "FAILED"}  ${id}  ${figure}`);
  process.exitCode = faults.every(({ pass }) => pass) ? 0 : 1;
}

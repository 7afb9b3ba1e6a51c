// Holds the workspace to the six rules of ARCHITECTURE, "Who may import whom". The rules themselves: imports/rules.mjs.
import { fileURLToPath } from "node:url";
import { findCircles } from "./imports/find-circles.mjs";
import { followPath } from "./imports/follow-path.mjs";
import { lineAt, readPackage } from "./imports/read-package.mjs";
import { allowedImports, core, crypto, rules } from "./imports/rules.mjs";
import { findViolation, ruleOf } from "./imports/violation.mjs";
import { readWorkspace, repository } from "./workspace.mjs";

/**
 * @typedef {import("./imports/read-package.mjs").PackageSources} PackageSources
 * @typedef {import("./imports/find-circles.mjs").Edge} Edge
 *
 * @typedef {object} Violation
 * @property {import("./imports/rules.mjs").Rule} rule
 * @property {string} file
 * @property {number} line
 * @property {string} what
 */

/**
 * Checks the workspace at `root`.
 *
 * @param {string} root
 * @returns {{ packages: number, modules: number, violations: Violation[] }}
 */
export function checkWorkspace(root) {
  const list = readWorkspace(root).map((member) => readPackage(root, member));
  const packages = new Map(list.map((member) => [member.name, member]));
  const modules = list.reduce((sum, member) => sum + member.modules.length, 0);
  /** @type {Violation[]} */
  const violations = list.flatMap((member) => [
    ...checkReading(member),
    ...checkManifest(member, packages),
    ...checkImports(root, member, packages),
    ...checkGlobals(member),
  ]);
  violations.push(...packageCircles(list));
  if (list.length === 0)
    violations.push({ rule: 0, file: "pnpm-workspace.yaml", line: 1, what: "leads to no package" });
  return { packages: list.length, modules, violations };
}

/**
 * @param {PackageSources} member
 * @returns {Violation[]}
 */
function checkReading({ name, folder, modules }) {
  /** @type {Violation[]} */
  const violations = modules.flatMap(({ file, errors }) =>
    errors.map((error) => ({ rule: /** @type {const} */ (0), file, line: error.line, what: error.name })),
  );
  const file = `${folder}/package.json`;
  if (modules.length === 0) violations.push({ rule: 0, file, line: 1, what: "has no sources in src/ or bin/" });
  if (!allowedImports.has(name)) violations.push({ rule: 4, file, line: 1, what: `${name} is not in the picture` });
  return violations;
}

/**
 * Checks what package.json declares like an import, because readers take it for one.
 *
 * @param {PackageSources} member
 * @param {ReadonlyMap<string, PackageSources>} packages
 * @returns {Violation[]}
 */
function checkManifest(member, packages) {
  const { dependencies, optionalDependencies, peerDependencies } = member.manifest;
  return Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).flatMap((name) => {
    const violation = findViolation(member, name, packages);
    if (violation === null) return [];
    return [
      { rule: violation[0], file: `${member.folder}/package.json`, line: lineOfKey(member, name), what: violation[1] },
    ];
  });
}

/**
 * @param {string} root
 * @param {PackageSources} member
 * @param {ReadonlyMap<string, PackageSources>} packages
 * @returns {Violation[]}
 */
function checkImports(root, member, packages) {
  /** @type {Violation[]} */
  const violations = [];
  /** @type {Map<string, Edge[]>} */
  const graph = new Map();
  for (const { file, imports } of member.modules) {
    /** @type {Edge[]} */
    const edges = [];
    for (const { specifier, line } of imports) {
      const isPath = specifier !== null && /^\.\.?(\/|$)/.test(specifier);
      const found = isPath ? followPath(root, member, file, specifier) : findViolation(member, specifier, packages);
      if (typeof found === "string") edges.push({ to: found, line });
      else if (found !== null) violations.push({ rule: found[0], file, line, what: found[1] });
    }
    graph.set(file, edges);
  }
  for (const { path, line } of findCircles(graph)) {
    violations.push({ rule: 1, file: path.at(-2) ?? "", line, what: path.join(" -> ") });
  }
  return violations;
}

/**
 * @param {PackageSources} member
 * @returns {Violation[]}
 */
function checkGlobals(member) {
  if (member.name === crypto) return [];
  const rule = member.name === core ? ruleOf(member) : 3;
  return member.modules.flatMap(({ file, inputOutput, subtle }) =>
    (member.name === core ? inputOutput : subtle).map(({ name, line }) => ({ rule, file, line, what: `uses ${name}` })),
  );
}

/**
 * @param {readonly PackageSources[]} packages
 * @returns {Violation[]}
 */
function packageCircles(packages) {
  const graph = new Map(
    packages.map((member) => {
      const { dependencies, optionalDependencies, peerDependencies, devDependencies } = member.manifest;
      const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies, ...devDependencies });
      return [member.name, names.map((name) => ({ to: name, line: lineOfKey(member, name) }))];
    }),
  );
  return findCircles(graph).map(({ path, line }) => {
    const from = packages.find(({ name }) => name === path.at(-2));
    return { rule: 1, file: `${from?.folder}/package.json`, line, what: path.join(" -> ") };
  });
}

/**
 * @param {PackageSources} member
 * @param {string} key
 */
function lineOfKey({ manifestText }, key) {
  return lineAt(manifestText, manifestText.indexOf(`"${key}":`));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { packages, modules, violations } = checkWorkspace(repository);
  for (const { rule, file, line, what } of violations)
    console.log(`${file}:${line} rule ${rule}: ${rules[rule]}: ${what}`);
  console.log(`imports: ${packages} packages, ${modules} modules, ${violations.length} violations`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

import { isBuiltin } from "node:module";
import { allowedImports, core, crypto, loaders, masker, scope } from "./rules.mjs";

/**
 * @typedef {import("./read-package.mjs").PackageSources} PackageSources
 * @typedef {import("./rules.mjs").Rule} Rule
 * @typedef {readonly [rule: Rule, what: string]} Violation
 */

/**
 * Returns the number of the rule about the imports of a package.
 *
 * @param {PackageSources} member
 * @returns {Rule}
 */
export function ruleOf({ name, folder }) {
  if (folder.startsWith("apps/")) return 5;
  if (name === masker) return 2;
  return name === core ? 6 : 4;
}

/**
 * Returns what is wrong with the import of a package or built-in module; null if it is allowed.
 *
 * @param {PackageSources} member The package that imports.
 * @param {string | null} specifier Never a relative one.
 * @param {ReadonlyMap<string, PackageSources>} packages
 * @returns {Violation | null}
 */
export function findViolation(member, specifier, packages) {
  const rule = ruleOf(member);
  if (specifier === null) {
    return loaders.has(member.name) ? null : [rule, "imports a module by a computed name, which cannot be checked"];
  }
  const says = `imports ${specifier}`;
  if (member.name === masker) return [rule, says];
  if (member.name === core && !["zod", "lossless-json"].includes(packageName(specifier))) return [rule, says];
  // `node:` too, because a newer Node can have more built-in modules than this one.
  if (isBuiltin(specifier) || specifier.startsWith("node:"))
    return isCrypto(specifier) && member.name !== crypto ? [3, says] : null;
  if (specifier.startsWith(scope)) {
    const violation = findNeighbourViolation(member, specifier, packages);
    if (violation !== null) return [rule, violation];
  }
  return isDeclared(member, specifier) ? null : [rule, `${says}, which its package.json does not declare`];
}

/**
 * @param {PackageSources} member
 * @param {string} specifier
 * @param {ReadonlyMap<string, PackageSources>} packages
 */
function findNeighbourViolation(member, specifier, packages) {
  const name = packageName(specifier);
  if (!allowedImports.get(member.name)?.includes(name)) return `imports ${specifier}`;
  const neighbour = packages.get(name);
  if (neighbour === undefined) return `imports ${specifier}, which is not a package of this workspace`;
  const subpath = `.${specifier.slice(name.length)}`;
  return subpath in (neighbour.manifest.exports ?? {}) ? null : `imports ${specifier}, a file inside another package`;
}

/**
 * An app can be a bundle, which contains what it imports and declares it only for development. The packaging checks test
 * whether it runs without them.
 *
 * @param {PackageSources} member
 * @param {string} specifier
 */
function isDeclared({ folder, manifest }, specifier) {
  const { dependencies, optionalDependencies, peerDependencies, devDependencies } = manifest;
  const declared = { ...dependencies, ...optionalDependencies, ...peerDependencies };
  const bundled = folder.startsWith("apps/") ? devDependencies : {};
  const name = packageName(specifier);
  // Some packages have nothing but types.
  return [name, `@types/${name}`].some((one) => Object.hasOwn({ ...declared, ...bundled }, one));
}

/** @param {string} specifier */
function isCrypto(specifier) {
  return /^(node:)?crypto(\/|$)/.test(specifier);
}

/** @param {string} specifier */
function packageName(specifier) {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

import { isBuiltin } from "node:module";
import { arrows, core, crypto, engine, masker, scope } from "./rules.mjs";

/**
 * @typedef {import("./read-room.mjs").Room} Room
 * @typedef {import("./rules.mjs").Rule} Rule
 * @typedef {readonly [rule: Rule, what: string]} Verdict
 */

/**
 * The rule that says what a package may import.
 *
 * @param {Room} room
 * @returns {Rule}
 */
export function ruleOf({ name, folder }) {
  if (folder.startsWith("apps/")) return 5;
  if (name === masker) return 2;
  return name === core ? 6 : 4;
}

/**
 * Judges the import of a package or built-in module; null where it is allowed.
 *
 * @param {Room} room The room that imports.
 * @param {string | null} specifier Never a relative one.
 * @param {ReadonlyMap<string, Room>} rooms
 * @returns {Verdict | null}
 */
export function judgeImport(room, specifier, rooms) {
  const rule = ruleOf(room);
  if (specifier === null) {
    return room.name === engine ? null : [rule, "imports a module by a computed name, which nobody can check"];
  }
  const says = `imports ${specifier}`;
  if (room.name === masker) return [rule, says];
  if (room.name === core && packageName(specifier) !== "zod") return [rule, says];
  // Some of a newer Node are not built into the one that runs this.
  if (isBuiltin(specifier) || specifier.startsWith("node:"))
    return isCrypto(specifier) && room.name !== crypto ? [3, says] : null;
  if (specifier.startsWith(scope)) {
    const verdict = judgeNeighbour(room, specifier, rooms);
    if (verdict !== null) return [rule, verdict];
  }
  return isDeclared(room, specifier) ? null : [rule, `${says}, which its package.json does not declare`];
}

/**
 * @param {Room} room
 * @param {string} specifier
 * @param {ReadonlyMap<string, Room>} rooms
 */
function judgeNeighbour(room, specifier, rooms) {
  const name = packageName(specifier);
  if (!arrows.get(room.name)?.includes(name)) return `imports ${specifier}`;
  const neighbour = rooms.get(name);
  if (neighbour === undefined) return `imports ${specifier}, which is no package of this workspace`;
  const subpath = `.${specifier.slice(name.length)}`;
  return subpath in (neighbour.manifest.exports ?? {}) ? null : `imports ${specifier}, a file inside another package`;
}

/**
 * An app may be a bundle: then it carries what it imports, and declares it for development only. Whether it runs without, the
 * packaging checks tell.
 *
 * @param {Room} room
 * @param {string} specifier
 */
function isDeclared({ folder, manifest }, specifier) {
  const { dependencies, optionalDependencies, peerDependencies, devDependencies } = manifest;
  const declared = { ...dependencies, ...optionalDependencies, ...peerDependencies };
  const bundled = folder.startsWith("apps/") ? devDependencies : {};
  return Object.hasOwn({ ...declared, ...bundled }, packageName(specifier));
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

import { literalText } from "./syntax-tree.mjs";

/**
 * @typedef {import("./syntax-tree.mjs").Node} Node
 *
 * @typedef {object} GlobalUse
 * @property {string} name
 * @property {number} start
 */

/** What a module can reach the world with, without an import. */
const worldly = new Set(
  `globalThis global window self process console require fetch XMLHttpRequest WebSocket EventSource navigator
  localStorage sessionStorage indexedDB crypto performance Temporal setTimeout setInterval setImmediate`.split(/\s+/),
);

/**
 * Uses of files, network, clock, timers or randomness through globals. A local of one of these names counts as well: it
 * would hide the global from a reader. Names in types do not count: they are gone at run time.
 *
 * @param {readonly import("./syntax-tree.mjs").Visit[]} visits
 * @returns {GlobalUse[]}
 */
export function findInputOutput(visits) {
  return visits.flatMap(([node, parent]) => {
    if (node.type !== "Identifier" || parent === null || isLabel(node, parent) || isType(parent)) return [];
    const { name, start } = node;
    const reaches =
      name === "Date" ? !isClockless(node, parent) : name === "Math" ? !isExact(node, parent) : worldly.has(name);
    return reaches ? [{ name, start }] : [];
  });
}

/**
 * Uses of WebCrypto's `subtle`, by whichever way it is reached: `crypto.subtle`, `globalThis.crypto["subtle"]`,
 * `const { subtle } = crypto`.
 *
 * @param {readonly import("./syntax-tree.mjs").Visit[]} visits
 * @returns {GlobalUse[]}
 */
export function findSubtle(visits) {
  return visits.flatMap(([node, parent]) => {
    const isName = parent?.type === "MemberExpression" ? parent.property === node : parent?.type === "Property";
    const name = node.type === "Identifier" ? node.name : literalText(node);
    return isName && name === "subtle" && !(parent?.type === "Property" && parent.value === node)
      ? [{ name: "crypto.subtle", start: node.start }]
      : [];
  });
}

/**
 * Is this the name of a member or of an export rather than of a variable?
 *
 * @param {Node} node
 * @param {Node} parent
 */
function isLabel(node, parent) {
  if (parent.type === "MemberExpression") return parent.property === node && !parent.computed;
  if (parent.type === "ImportSpecifier") return parent.imported === node && parent.local !== node;
  if (parent.type === "ExportSpecifier") return parent.exported === node;
  return "key" in parent && parent.key === node && !("computed" in parent && parent.computed);
}

/** @param {Node} parent */
function isType(parent) {
  return parent.type.startsWith("TS") && !parent.type.endsWith("Expression") && parent.type !== "TSTypeAssertion";
}

/**
 * `new Date(moment)`, `Date.UTC`, `Date.parse` and `instanceof Date` compute; every other use can read the clock.
 *
 * @param {Node} node
 * @param {Node} parent
 */
function isClockless(node, parent) {
  if (parent.type === "NewExpression") {
    const [first] = parent.arguments;
    return parent.callee === node && first !== undefined && first.type !== "SpreadElement";
  }
  if (parent.type === "BinaryExpression") return parent.operator === "instanceof" && parent.right === node;
  return isMember(node, parent, (name) => name === "UTC" || name === "parse");
}

/**
 * `Math.max` and its kind compute; `Math.random`, or `Math` handed on, need not.
 *
 * @param {Node} node
 * @param {Node} parent
 */
function isExact(node, parent) {
  return isMember(node, parent, (name) => name !== "random");
}

/**
 * @param {Node} node
 * @param {Node} parent
 * @param {(name: string) => boolean} isFine
 */
function isMember(node, parent, isFine) {
  if (parent.type !== "MemberExpression" || parent.object !== node || parent.computed) return false;
  return parent.property.type === "Identifier" && isFine(parent.property.name);
}

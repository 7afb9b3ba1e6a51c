import { literalText } from "./syntax-tree.mjs";

/**
 * @typedef {import("./syntax-tree.mjs").Node} Node
 *
 * @typedef {object} Import
 * @property {string | null} specifier null where it is computed.
 * @property {number} start
 */

/**
 * Every way one module names another: import, export from, import(), import type, import("x").T, import x = require("x"),
 * require(), require.resolve(), a require made with createRequire(), process.getBuiltinModule(). Imports of types count like
 * the others: they bind the packages of a reader, and the packages of everyone who reads the published types.
 *
 * @param {readonly import("./syntax-tree.mjs").Visit[]} visits
 * @returns {Import[]}
 */
export function findImports(visits) {
  const loaders = new Set(["require", ...visits.flatMap(([node]) => madeByCreateRequire(node))]);
  return visits.flatMap(([node]) => {
    const named = namedModule(node, loaders);
    return named === undefined ? [] : [{ specifier: literalText(named), start: node.start }];
  });
}

/**
 * @param {Node} node
 * @param {ReadonlySet<string>} loaders
 * @returns {Node | undefined}
 */
function namedModule(node, loaders) {
  if ("source" in node && node.source !== null) return node.source;
  if (node.type === "TSExternalModuleReference") return node.expression;
  if (node.type !== "CallExpression") return undefined;
  const { callee } = node;
  const loads =
    (callee.type === "Identifier" && loaders.has(callee.name)) ||
    isCreateRequire(callee) ||
    (callee.type === "MemberExpression" && loadsByMember(callee, loaders));
  return loads ? (node.arguments[0] ?? node) : undefined;
}

/**
 * @param {import("oxc-parser").MemberExpression} callee
 * @param {ReadonlySet<string>} loaders
 */
function loadsByMember({ object, property }, loaders) {
  const name = property.type === "Identifier" ? property.name : literalText(property);
  if (name === "resolve") return object.type === "Identifier" && loaders.has(object.name);
  return name === "require" || name === "getBuiltinModule";
}

/** @param {Node} node */
function madeByCreateRequire(node) {
  const isLoader = node.type === "VariableDeclarator" && node.id.type === "Identifier" && isCreateRequire(node.init);
  return isLoader && node.id.type === "Identifier" ? [node.id.name] : [];
}

/** @param {Node | null} node */
function isCreateRequire(node) {
  if (node?.type !== "CallExpression") return false;
  const { callee } = node;
  if (callee.type === "MemberExpression")
    return callee.property.type === "Identifier" && callee.property.name === "createRequire";
  return callee.type === "Identifier" && callee.name === "createRequire";
}

import { visitorKeys } from "oxc-parser";

/**
 * @typedef {import("oxc-parser").Node} Node
 * @typedef {readonly [node: Node, parent: Node | null]} Visit
 */

/**
 * Every node of a tree, parents first.
 *
 * @param {Node} node
 * @param {Node | null} parent
 * @returns {Generator<Visit>}
 */
export function* visitNodes(node, parent = null) {
  yield [node, parent];
  for (const key of visitorKeys[node.type] ?? []) {
    const child = /** @type {Record<string, any>} */ (node)[key];
    for (const next of Array.isArray(child) ? child : [child]) {
      if (next) yield* visitNodes(next, node);
    }
  }
}

/**
 * The text of a string or of a template without holes; null for anything that only a run can tell.
 *
 * @param {Node | undefined} node
 * @returns {string | null}
 */
export function literalText(node) {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) return node.quasis[0]?.value.cooked ?? null;
  return null;
}

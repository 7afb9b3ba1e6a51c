/**
 * @typedef {object} Edge
 * @property {string} to
 * @property {number} line Where `from` names `to`.
 *
 * @typedef {object} Circle
 * @property {string[]} path From a node back to itself.
 * @property {number} line Where the last but one node of the path names the last.
 */

/**
 * The circles of a graph, at least one for each group of nodes that reach each other.
 *
 * @param {ReadonlyMap<string, readonly Edge[]>} graph Edges to nodes that are no key of the map are ignored.
 * @returns {Circle[]}
 */
export function findCircles(graph) {
  /** @type {Circle[]} */
  const circles = [];
  const done = new Set();

  /** @param {string[]} path */
  function follow(path) {
    const node = path.at(-1) ?? "";
    for (const { to, line } of graph.get(node) ?? []) {
      const start = path.indexOf(to);
      if (start >= 0) circles.push({ path: [...path.slice(start), to], line });
      else if (!done.has(to)) follow([...path, to]);
    }
    done.add(node);
  }

  for (const node of graph.keys()) if (!done.has(node)) follow([node]);
  return circles;
}

import { quoteText } from "@autokestra/secrets-core";
import { type Document, isAlias, isMap, isNode, isPair, isScalar, isSeq, type Node } from "yaml";
import type { Position } from "./code-frame.ts";
import { invalidWorkflow, type WorkflowProblem } from "./problem.ts";

const MAX_DEPTH = 100;
/** With every alias counted as what it stands for. */
const MAX_NODES = 100_000;
const RESERVED_KEYS = new Set(["__proto__", "prototype", "constructor"]);

/** Refuses what the parser accepts and a workflow has no use for. Stops at the first. */
export function checkYamlNodes(
  document: Document.Parsed,
  position: (start: number, end: number) => Position,
): WorkflowProblem[] {
  const problems: WorkflowProblem[] = [];
  /** The parser itself looks for an anchor in the whole document, for each alias. */
  const anchors = new Map<string, Node>();
  let nodes = 0;

  function refuse(message: string, node: unknown, hint?: string): void {
    const range = isNode(node) ? node.range : undefined;
    problems.push(invalidWorkflow(message, range ? position(range[0], range[1]) : undefined, hint));
  }

  function visit(node: unknown, depth: number, inAlias: boolean): void {
    nodes += 1;
    if (problems.length > 0) return;
    if (nodes > MAX_NODES) refuse(`The file has more than ${MAX_NODES} values`, node);
    else if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined) refuse(`There is nothing that the alias ${quoteText(node.source)} stands for`, node);
      else if (inAlias) refuse("An alias may not stand inside what another alias stands for", node);
      else visit(target, depth, true);
    } else if (isNode(node)) visitNode(node, depth, inAlias);
  }

  function visitNode(node: Node, depth: number, inAlias: boolean): void {
    if ("tag" in node && typeof node.tag === "string")
      refuse(`Tags such as ${quoteText(node.tag)} are not supported`, node);
    if ("anchor" in node && typeof node.anchor === "string") anchors.set(node.anchor, node);
    if (!isMap(node) && !isSeq(node)) return;
    if (depth > MAX_DEPTH) refuse(`The file is nested more than ${MAX_DEPTH} levels deep`, node);
    const keys = new Set<string>();
    for (const item of node.items) {
      if (isPair(item)) checkKey(item.key, keys);
      visit(isPair(item) ? item.value : item, depth + 1, inAlias);
    }
  }

  function checkKey(key: unknown, keys: Set<string>): void {
    if (!isScalar(key)) {
      const hint = isMap(key) ? 'Is it a reference? Then write it in quotes: "{{ … }}".' : undefined;
      refuse("A key must be a word", key, hint);
      return;
    }
    const text = String(key.value);
    if (keys.has(text)) refuse(`The key '${quoteText(text)}' stands here twice`, key);
    if (text === "<<") refuse("Merge keys (<<) are not supported", key);
    if (RESERVED_KEYS.has(text)) refuse(`The key ${text} is reserved`, key);
    if (text.includes("{{")) refuse("A reference may stand in values only, not in keys", key);
    keys.add(text);
  }

  visit(document.contents, 0, false);
  return problems;
}

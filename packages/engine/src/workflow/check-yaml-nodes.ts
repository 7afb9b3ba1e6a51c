import { quoteText } from "@autokestra/secrets-core";
import { type Document, isAlias, isMap, isNode, isPair, isScalar, isSeq, type Node } from "yaml";
import { invalidWorkflow, type Position, type Problem } from "./problem.ts";

const MAX_DEPTH = 100;
/** With every alias counted as what it stands for. */
const MAX_NODES = 100_000;
const RESERVED_KEYS = new Set(["__proto__", "prototype", "constructor"]);

/** Refuses what the parser accepts and a workflow has no use for. Stops at the first. */
export function checkYamlNodes(
  document: Document.Parsed,
  position: (start: number, end: number) => Position,
): Problem[] {
  const problems: Problem[] = [];
  let nodes = 0;

  function refuse(message: string, node: Node): void {
    problems.push(invalidWorkflow(message, node.range ? position(node.range[0], node.range[1]) : undefined));
  }

  function visit(node: unknown, depth: number, inAlias: boolean): void {
    nodes += 1;
    if (problems.length > 0) return;
    if (isAlias(node)) {
      const target = node.resolve(document);
      if (target === undefined) refuse(`There is nothing that the alias ${quoteText(node.source)} stands for`, node);
      else if (inAlias) refuse("An alias may not stand inside what another alias stands for", node);
      else visit(target, depth, true);
    } else if (isMap(node) || isSeq(node)) {
      if (depth > MAX_DEPTH) refuse(`The file is nested more than ${MAX_DEPTH} levels deep`, node);
      if (nodes > MAX_NODES) refuse(`The file has more than ${MAX_NODES} values`, node);
      for (const item of node.items) visitItem(item, depth + 1, inAlias);
    }
  }

  function visitItem(item: unknown, depth: number, inAlias: boolean): void {
    if (isPair(item)) {
      checkKey(item.key);
      visit(item.value, depth, inAlias);
    } else visit(item, depth, inAlias);
  }

  function checkKey(key: unknown): void {
    if (!isScalar(key)) {
      const at = isNode(key) && key.range ? position(key.range[0], key.range[1]) : undefined;
      const hint = isMap(key) ? 'Is it a reference? Then write it in quotes: "{{ … }}".' : undefined;
      problems.push(invalidWorkflow("A key must be a word", at, hint));
      return;
    }
    const text = String(key.value);
    if (text === "<<") refuse("Merge keys (<<) are not supported", key);
    if (RESERVED_KEYS.has(text)) refuse(`The key ${text} is reserved`, key);
    if (text.includes("{{")) refuse("A reference may stand in values only, not in keys", key);
  }

  visit(document.contents, 0, false);
  return problems;
}

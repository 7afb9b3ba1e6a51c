import { quoteText } from "@autokestra/secrets-core";
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { type CheckedNodes, checkYamlNodes, type RespelledValue } from "./check-yaml-nodes.ts";
import type { Position } from "./code-frame.ts";
import { invalidWorkflow, MAX_PROBLEMS, type WorkflowProblem } from "./problem.ts";

/** Larger files are refused unread: the parser needs a second for half of this. */
export const MAX_BYTES: number = 1024 * 1024;
const TOO_DEEP = "The file is nested too deeply";

export type YamlPath = readonly (string | number)[];

/** Which `{{` of a string value is meant, of how many in it, and how long the reference is. */
export interface Mark {
  readonly nth: number;
  readonly of: number;
  readonly length: number;
}

/** A parsed file: plain data, and where each part of it stands. */
export interface YamlDocument {
  readonly data: unknown;
  readonly problems: readonly WorkflowProblem[];
  /** Numbers that are written in another way than JSON writes them. */
  readonly respelled: readonly RespelledValue[];
  /** The place of a value, or of a reference in it. */
  locate(path: YamlPath, mark?: Mark): Position | undefined;
}

/** Reads YAML 1.2 (JSON is a part of it). Duplicate keys, merge keys, tags and aliases inside aliases are problems. */
export function parseYaml(source: string): YamlDocument {
  if (Buffer.byteLength(source) > MAX_BYTES) return unread(invalidWorkflow("The file is larger than 1 MiB"));
  const lines = new LineCounter();
  const position = (start: number, end: number): Position => {
    const { line, col } = lines.linePos(start);
    return { line, column: col, length: end - start };
  };
  let document: Document.Parsed;
  try {
    document = parseDocument(source, {
      lineCounter: lines,
      prettyErrors: false,
      logLevel: "error",
      version: "1.2",
      uniqueKeys: false,
    });
  } catch (error) {
    if (error instanceof RangeError) return unread(invalidWorkflow(TOO_DEEP));
    throw error;
  }
  const syntax = [...document.errors, ...document.warnings]
    .slice(0, MAX_PROBLEMS)
    .map((error) =>
      error.code === "RESOURCE_EXHAUSTION"
        ? invalidWorkflow(TOO_DEEP)
        : invalidWorkflow(`Invalid YAML: ${quoteText(error.message)}`, position(...error.pos)),
    );
  if (document.directives.yaml.explicit === true || /^%/m.test(source.slice(0, document.contents?.range?.[0] ?? 0))) {
    return unread(invalidWorkflow("Directives (%) are not supported"));
  }
  const checked: CheckedNodes =
    syntax.length > 0 ? { problems: syntax, respelled: [] } : checkYamlNodes(document, position);
  const { problems, respelled } = checked;
  return {
    data: problems.length === 0 ? document.toJS({ maxAliasCount: -1 }) : null,
    problems,
    respelled,
    locate(path, mark) {
      const node = nearestNode(document, path);
      if (!node?.range) return undefined;
      const [start, end] = node.range;
      const marks = mark ? offsets(source.slice(start, end), "{{") : [];
      const offset = mark && marks.length === mark.of ? marks[mark.nth] : undefined;
      if (mark === undefined || offset === undefined) return position(start, Math.min(end, start + 40));
      return position(start + offset, start + offset + mark.length);
    },
  };
}

/** The node at the path, or the closest one around it that there is. */
function nearestNode(document: Document.Parsed, path: YamlPath): Node | null {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isScalar(node) || isMap(node) || isSeq(node)) return node;
  }
  return document.contents;
}

function unread(problem: WorkflowProblem): YamlDocument {
  return { data: null, problems: [problem], respelled: [], locate: () => undefined };
}

function offsets(text: string, mark: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, at + mark.length)) found.push(at);
  return found;
}

import { keepsValue } from "@autokestra/secrets-core/exact-json";
import { quoteText } from "@autokestra/secrets-core/internal";
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from "yaml";
import { type FatalProblem, MAX_PROBLEMS, type Position } from "./problem.ts";

/** The maximum size of a file. The parser needs about a second for half of it. */
export const MAX_BYTES: number = 1024 * 1024;
const TOO_DEEP = "The file is nested too deeply";

export type YamlPath = readonly (string | number)[];

/** Identifies a part of a string: the number of the text that it begins with, how many there are, and its length. */
export interface TextPart {
  /** Default: `{{`, the beginning of a reference. */
  readonly text?: string;
  readonly nth: number;
  readonly of: number;
  readonly length: number;
}

/** A parsed file: plain data, and the position of each part of it. */
export interface YamlDocument {
  readonly data: unknown;
  readonly problems: readonly FatalProblem[];
  /** Numbers that are written in another way than JSON writes them. */
  readonly respelled: readonly RespelledValue[];
  /** Finds the position of a value, or of a reference in it. */
  locate(path: YamlPath, mark?: TextPart): Position | undefined;
}

/** Creates a problem with the code of a type of file. */
export type CreateProblem = (message: string, position?: Position, hint?: string) => FatalProblem;

/** Parses YAML 1.2, which includes JSON. Duplicate keys, merge keys, tags and aliases inside aliases are problems. */
export function parseYaml(source: string, invalid: CreateProblem): YamlDocument {
  if (Buffer.byteLength(source) > MAX_BYTES) return unread(invalid("The file is larger than 1 MiB"));
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
    if (error instanceof RangeError) return unread(invalid(TOO_DEEP));
    throw error;
  }
  const syntax = [...document.errors, ...document.warnings]
    .slice(0, MAX_PROBLEMS)
    .map((error) =>
      error.code === "RESOURCE_EXHAUSTION"
        ? invalid(TOO_DEEP)
        : invalid(`Invalid YAML: ${quoteText(error.message)}`, position(...error.pos)),
    );
  if (document.directives.yaml.explicit === true || /^%/m.test(source.slice(0, document.contents?.range?.[0] ?? 0))) {
    return unread(invalid("Directives (%) are not supported"));
  }
  const check = new NodeCheck(position, invalid);
  if (syntax.length === 0) check.visit(document.contents);
  const { respelled } = check;
  const problems = [...syntax, ...check.problems];
  return {
    data: problems.length === 0 ? document.toJS({ maxAliasCount: -1 }) : null,
    problems,
    respelled,
    locate(path, mark) {
      const node = nearestNode(document, path);
      if (!node?.range) return undefined;
      const [start, end] = node.range;
      const marks = mark ? offsets(source.slice(start, end), mark.text ?? "{{") : [];
      const offset = mark && marks.length === mark.of ? marks[mark.nth] : undefined;
      if (mark === undefined || offset === undefined) return position(start, Math.min(end, start + 40));
      return position(start + offset, start + offset + mark.length);
    },
  };
}

/** The node at the path, or the closest node around it. */
function nearestNode(document: Document.Parsed, path: YamlPath): Node | null {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isScalar(node) || isMap(node) || isSeq(node)) return node;
  }
  return document.contents;
}

function unread(problem: FatalProblem): YamlDocument {
  return { data: null, problems: [problem], respelled: [], locate: () => undefined };
}

function offsets(text: string, mark: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, at + mark.length)) found.push(at);
  return found;
}

const MAX_DEPTH = 100;
/** The hint for a value that would read differently as text. */
export const QUOTES = "Put it in quotes.";
/** The maximum number of values, with the values of an alias counted each time. */
const MAX_NODES = 100_000;
const RESERVED_KEYS = new Set(["__proto__", "prototype", "constructor"]);

/** A number or boolean that would read differently as text: `01234`, `1.10`, `1e3`, `True`. */
export interface RespelledValue {
  readonly path: readonly (string | number)[];
  readonly position: Position | undefined;
  /** False if it loses digits even as a number. */
  readonly keepsValue: boolean;
}

/** Refuses what the parser accepts and no file of ours needs. Stops at the first problem. */
class NodeCheck {
  readonly problems: FatalProblem[] = [];
  readonly respelled: RespelledValue[] = [];
  readonly #position: (start: number, end: number) => Position;
  readonly #invalid: CreateProblem;
  /** The path of the node that `visit` looks at. */
  readonly #path: (string | number)[] = [];
  /** Kept here, because the parser searches the whole document for the anchor of each alias. */
  readonly #anchors = new Map<string, Node>();
  #nodes = 0;

  constructor(position: (start: number, end: number) => Position, invalid: CreateProblem) {
    this.#position = position;
    this.#invalid = invalid;
  }

  visit(node: unknown, depth = 0, inAlias = false): void {
    this.#nodes += 1;
    if (this.problems.length > 0) return;
    if (this.#nodes > MAX_NODES) this.#refuse(`The file has more than ${MAX_NODES} values`, node);
    else if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined) this.#refuse(`There is no anchor for the alias ${quoteText(node.source)}`, node);
      else if (inAlias) this.#refuse("Aliases inside aliases are not supported", node);
      else this.visit(target, depth, true);
    } else if (isNode(node)) this.#visitNode(node, depth, inAlias);
  }

  #visitNode(node: Node, depth: number, inAlias: boolean): void {
    if ("tag" in node && typeof node.tag === "string")
      this.#refuse(`Tags such as ${quoteText(node.tag)} are not supported`, node);
    if ("anchor" in node && typeof node.anchor === "string") this.#anchors.set(node.anchor, node);
    if (isScalar(node) && isRespelled(node)) this.#noteRespelled(node);
    if (!isMap(node) && !isSeq(node)) return;
    if (depth > MAX_DEPTH) this.#refuse(`The file is nested more than ${MAX_DEPTH} levels deep`, node);
    const keys = new Set<string>();
    for (const [index, item] of node.items.entries()) {
      const [key, value] = isPair(item) ? [this.#checkKey(item.key, keys), item.value] : [index, item];
      this.#path.push(key);
      this.visit(value, depth + 1, inAlias);
      this.#path.pop();
    }
  }

  #noteRespelled({ value, source, range }: Scalar<number | boolean> & { source: string }): void {
    this.respelled.push({
      path: [...this.#path],
      position: range ? this.#position(range[0], range[1]) : undefined,
      keepsValue: typeof value !== "number" || keepsValue(source, value),
    });
  }

  #checkKey(key: unknown, keys: Set<string>): string {
    if (!isScalar(key)) {
      const hint = isMap(key) ? 'Is it a reference? Then write it in quotes: "{{ … }}".' : undefined;
      this.#refuse("A key must be a word", key, hint);
      return "";
    }
    const text = String(key.value);
    if (key.value === null || isRespelled(key))
      this.#refuse("A key is text, and this one would read differently", key, QUOTES);
    if (keys.has(text)) this.#refuse(`The key '${quoteText(text)}' occurs twice`, key);
    if (text === "<<") this.#refuse("Merge keys (<<) are not supported", key);
    if (RESERVED_KEYS.has(text)) this.#refuse(`The key ${text} is reserved`, key);
    if (text.includes("{{")) this.#refuse("References are allowed in values only, not in keys", key);
    keys.add(text);
    return text;
  }

  #refuse(message: string, node: unknown, hint?: string): void {
    const range = isNode(node) ? node.range : undefined;
    this.problems.push(this.#invalid(message, range ? this.#position(range[0], range[1]) : undefined, hint));
  }
}

function isRespelled(node: Scalar): node is Scalar<number | boolean> & { source: string } {
  const { value, source } = node;
  return source !== undefined && (typeof value === "number" || typeof value === "boolean") && String(value) !== source;
}

import { isDeepStrictEqual } from "node:util";
import { Composer, CST, Document, isCollection, isMap, isScalar, type Node, Parser, parseDocument } from "yaml";
import type { YamlPath } from "./yaml-document.ts";

/** A text to write at a place of a file. */
export interface TextChange {
  readonly path: YamlPath;
  readonly text: string;
}

/** Names to add to a list of names. */
export interface ListChange {
  readonly path: YamlPath;
  readonly names: readonly string[];
  /** Where the file has no such list: a key at its top, with a value on its line, after which the list comes. */
  readonly after?: string;
}

/**
 * Writes texts into a YAML file and adds names to lists in it. Every other character stays: comments, quotes, line
 * breaks.
 *
 * @returns the new file; null if it cannot be changed in this way, as where a text is an alias
 */
export function changeYaml(
  source: string,
  texts: readonly TextChange[],
  lists: readonly ListChange[] = [],
): string | null {
  const changes = lists.filter(({ names }) => names.length > 0);
  const complete = changes.reduce<string | null>(
    (changed, list) => (changed === null ? null : addNames(changed, list)),
    writeTexts(source, texts),
  );
  return complete !== null && isDeepStrictEqual(dataOf(complete), expected(source, texts, changes)) ? complete : null;
}

function dataOf(source: string): unknown {
  const document = parseDocument(source, { logLevel: "silent" });
  return document.errors.length > 0 ? null : document.toJS({ maxAliasCount: -1 });
}

/** The data that the changed file must have. */
function expected(source: string, texts: readonly TextChange[], lists: readonly ListChange[]): unknown {
  // Without the nodes of the file, where two places with an alias between them are one.
  const document = new Document(JSON.parse(JSON.stringify(dataOf(source))));
  for (const { path, text } of texts) document.setIn(path, text);
  for (const { path, names } of lists) {
    if (!document.hasIn(path)) document.setIn(path, document.createNode([]));
    for (const name of names) document.addIn(path, name);
  }
  return document.toJS();
}

/** Changes the tokens of the texts only. */
function writeTexts(source: string, texts: readonly TextChange[]): string | null {
  const tokens = [...new Parser().parse(source)];
  const [document] = new Composer({ keepSourceTokens: true }).compose(tokens);
  for (const { path, text } of texts) {
    const node = document?.getIn(path, true);
    const token = isScalar(node) ? node.srcToken : undefined;
    if (token === undefined || !CST.isScalar(token)) return null;
    CST.setScalarValue(token, text, { type: typeFor(token, text), afterKey: true });
  }
  return tokens.map((token) => CST.stringify(token)).join("");
}

/** The spelling that a text has already, if it can keep it. */
function typeFor({ type }: CST.Token, text: string): "QUOTE_DOUBLE" | "QUOTE_SINGLE" | "BLOCK_LITERAL" {
  // The library writes no indentation for a block of spaces only: they would be taken for indentation.
  if (type === "block-scalar") return text.trim() === "" ? "QUOTE_DOUBLE" : "BLOCK_LITERAL";
  return type === "single-quoted-scalar" && !text.includes("'") && !text.includes("\n")
    ? "QUOTE_SINGLE"
    : "QUOTE_DOUBLE";
}

function addNames(source: string, change: ListChange): string | null {
  const { path, names } = change;
  const document = parseDocument(source, { logLevel: "silent" });
  const list = document.getIn(path, true);
  if (list === undefined) return addList(source, document, change);
  if (!isCollection(list) || !list.range) return null;
  const last = endOf(list.items.at(-1) as Node | undefined);
  if (list.flow === true) {
    const more = names.map((name) => (isJson(source) ? JSON.stringify(name) : name)).join(", ");
    return last === null ? insert(source, list.range[0] + 1, more) : insert(source, last, `, ${more}`);
  }
  if (last === null) return null;
  const lineStart = source.lastIndexOf("\n", last - 1) + 1;
  const dash = source.slice(lineStart, source.indexOf("-", lineStart) + 1);
  return insert(source, lineEnd(source, last), names.map((name) => `${newline(source)}${dash} ${name}`).join(""));
}

function addList(source: string, document: Document.Parsed, { path, names, after }: ListChange): string | null {
  const [key, ...deeper] = path;
  const end = after === undefined ? null : endOf(document.get(after, true) as Node | undefined);
  if (end === null || deeper.length > 0 || !isMap(document.contents)) return null;
  if (document.contents.flow === true) return insert(source, end, `, "${key}": ${JSON.stringify(names)}`);
  return insert(source, lineEnd(source, end), `${newline(source)}${key}: [${names.join(", ")}]`);
}

function endOf(node: Node | undefined): number | null {
  return node?.range?.[1] ?? null;
}

/** A comment behind a value stays on its line. */
function lineEnd(source: string, from: number): number {
  const end = source.indexOf(newline(source), from);
  return end === -1 ? source.length : end;
}

function newline(source: string): string {
  return source.includes("\r\n") ? "\r\n" : "\n";
}

function isJson(source: string): boolean {
  return source.trimStart().startsWith("{");
}

function insert(source: string, at: number, text: string): string {
  return source.slice(0, at) + text + source.slice(at);
}

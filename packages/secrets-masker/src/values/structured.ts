import { failClosed } from "../fail-closed.ts";
import type { Piece } from "./part.ts";
import { MAX_LENGTH } from "./value-texts.ts";

/** JSON that is nested deeper is not rewritten: each level adds an indent to each line. */
const MAX_DEPTH = 100;

interface Node {
  readonly key: string;
  readonly item: unknown;
}

/** The strings and numbers of a JSON object or list, at any depth, with the names of their fields. */
export function jsonPieces(text: string): readonly Piece[] | null {
  const root = parse(text);
  if (root === null) return null;
  const pieces: Piece[] = [];
  for (const level of levelsOf(root)) {
    for (const { key, item } of level) {
      if (typeof item === "string" || typeof item === "number")
        pieces.push({ kind: "JSON value", key, text: String(item) });
    }
  }
  return pieces;
}

/** The same JSON, compact and with an indent of 2. */
export function jsonRewritten(text: string): readonly string[] {
  const root = parse(text);
  if (root === null || text.length > MAX_LENGTH || levelsOf(root).length > MAX_DEPTH) return [];
  return [JSON.stringify(root), JSON.stringify(root, null, 2)];
}

function levelsOf(root: object): readonly (readonly Node[])[] {
  const levels: Node[][] = [];
  for (let level: Node[] = [{ key: "", item: root }]; level.length > 0; ) {
    level = level.flatMap(({ key, item }) => children(item, key));
    levels.push(level);
  }
  return levels;
}

/** Members of a list have its name. In `{"name": "DB_PASSWORD", "value": "…"}`, the value has the name beside it. */
function children(item: unknown, key: string): Node[] {
  if (Array.isArray(item)) return item.map((member: unknown) => ({ key, item: member }));
  if (typeof item !== "object" || item === null) return [];
  const fields = Object.entries(item);
  const name: unknown = fields.find(([field]) => /^(?:name|key)$/i.test(field))?.[1];
  return fields
    .filter(([field, value]) => value !== name || !/^(?:name|key)$/i.test(field) || !hasValue(fields))
    .map(([field, value]) => ({ key: typeof name === "string" && /^value$/i.test(field) ? name : field, item: value }));
}

function hasValue(fields: readonly (readonly [string, unknown])[]): boolean {
  return fields.some(([field]) => /^value$/i.test(field));
}

function parse(text: string): object | null {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    const root: unknown = JSON.parse(text);
    return typeof root === "object" ? root : null;
  } catch {
    return null;
  }
}

const ELEMENT = /<([A-Za-z_][\w:.-]*)((?:\s[^<>]*)?)>([^<]*)<\/\1\s*>/g;
const START_TAG = /<([A-Za-z_][\w:.-]*)(\s[^<>]*?)\/?>/g;
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const PLIST = /<key>([^<]*)<\/key>\s*<(?:string|data)>([^<]*)<\//g;

/** The texts of elements and the values of attributes, with their names: Maven, NuGet and .NET settings, a plist. */
export function xmlPieces(text: string): readonly Piece[] | null {
  if (!/^\s*</.test(text) || !/<\/|\/>/.test(text)) return null;
  const plist = [...text.matchAll(PLIST)].map(([, key = "", body = ""]) => piece(key, body));
  if (plist.length > 0) return plist;
  const plain = text.replaceAll(/<!\[CDATA\[(.*?)\]\]>/gs, (_, data: string) => escaped(data));
  return [
    ...[...plain.matchAll(ELEMENT)].map(([, name = "", tag = "", body = ""]) =>
      piece(attributes(tag).find(isName)?.[1] ?? name, body),
    ),
    ...[...plain.matchAll(START_TAG)].flatMap(([, , tag = ""]) => attributePieces(attributes(tag))),
  ];
}

type Attribute = readonly [name: string, value: string];

function attributes(tag: string): readonly Attribute[] {
  return [...tag.matchAll(ATTRIBUTE)].map(([, name = "", value, other]) => [name, value ?? other ?? ""]);
}

/** In `<add key="DbPassword" value="…" />`, the name of the value stands beside it. */
function attributePieces(all: readonly Attribute[]): readonly Piece[] {
  const name = all.find(isName)?.[1];
  return all
    .filter((attribute) => !isName(attribute))
    .map(([key, value]) => piece(key === "value" && name !== undefined ? name : key, value));
}

function isName([name]: Attribute): boolean {
  return name === "name" || name === "key";
}

function piece(key: string, body: string): Piece {
  const raw = body.trim();
  return { kind: "XML value", key, text: unescaped(raw), spelled: [raw] };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replaceAll(/&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([\da-fA-F]{1,6}));/g, (all, name, decimal, hex) => {
    if (typeof name === "string") return ENTITIES[name] ?? all;
    const code = typeof decimal === "string" ? Number(decimal) : Number.parseInt(String(hex), 16);
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : all;
  });
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const BINARY = /(?![\t\n\r])\p{Cc}/u;

/**
 * The text that a piece encodes in base64. If the result is not text, the piece is a token that only looks like base64.
 */
export function decodedPieces({ text, key }: Piece): readonly Piece[] {
  const encoded = text.replaceAll(/\s/g, "");
  if (!BASE64.test(encoded)) return [];
  return failClosed<readonly Piece[]>([], () => {
    const units = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(units, (unit) => unit.charCodeAt(0));
    const plain = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (BINARY.test(plain)) return [];
    return [{ kind: "decoded text", text: plain, ...(key === undefined ? {} : { key }) }];
  });
}

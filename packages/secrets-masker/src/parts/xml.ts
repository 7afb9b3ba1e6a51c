import type { Piece } from "./part.ts";

const ELEMENT = /<([A-Za-z_][\w:.-]*)((?:\s[^<>]*)?)>([^<]*)<\/\1\s*>/g;
const START_TAG = /<([A-Za-z_][\w:.-]*)(\s[^<>]*?)\/?>/g;
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const PLIST = /<key>([^<]*)<\/key>\s*<(?:string|data)>([^<]*)<\//g;

/** The texts of elements by their names, and the values of attributes: of Maven's settings, NuGet's and .NET's, a plist. */
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

/** `<add key="DbPassword" value="…" />`: what the value is called stands beside it. */
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

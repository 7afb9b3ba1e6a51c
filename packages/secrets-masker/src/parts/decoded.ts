import { failClosed } from "../fail-closed.ts";
import type { Piece } from "./part.ts";

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const BINARY = /(?![\t\n\r])\p{Cc}/u;

/** The text that a piece is the base64 of. What decodes to anything but text is a token that only looks like it. */
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

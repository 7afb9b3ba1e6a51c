import { isUtf8 } from "node:buffer";
import { TextDecoder } from "node:util";
import { HttpFailure } from "./http-failure.ts";
import { charsetOf, mediaTypeOf, readJson } from "./json.ts";

/** The form in which an action returns the body: `auto` follows the content type or, without one, the bytes. */
export type ResponseFormat = "auto" | "json" | "text" | "base64";

const JSON_TYPE = /^(application|text)\/(.+\+)?json$/;
const TEXT_TYPE = /^(text\/.+|application\/(.+\+)?(xml|yaml)|application\/(javascript|x-www-form-urlencoded))$/;

/** A byte order mark takes precedence over the content type (Encoding standard, decode). */
const BYTE_ORDER_MARKS: readonly [string, readonly number[]][] = [
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16be", [0xfe, 0xff]],
  ["utf-16le", [0xff, 0xfe]],
];

/**
 * Decodes a body to a JSON value, text or base64. An empty body is null as JSON.
 *
 * @param contentType the Content-Type header; empty if there is none
 * @throws HttpFailure `HTTP_RESPONSE` if the body is not in this format; the message quotes nothing of it
 */
export function decodeBody(bytes: Uint8Array, format: ResponseFormat, contentType: string): unknown {
  switch (format === "auto" ? formatOf(contentType, bytes) : format) {
    case "json":
      return readJson(decodeText(bytes, contentType, "json"));
    case "text":
      return decodeText(bytes, contentType, "text");
    default:
      return Buffer.from(bytes).toString("base64");
  }
}

/** Decodes the body of a failed response; null if its content type or its bytes say that it is not text. */
export function explainFailure(bytes: Uint8Array, contentType: string): string | null {
  const format = formatOf(contentType, bytes);
  if (format === "base64") return null;
  try {
    return decodeText(bytes, contentType, format);
  } catch {
    return null;
  }
}

function formatOf(contentType: string, bytes: Uint8Array): "json" | "text" | "base64" {
  const type = mediaTypeOf(contentType);
  if (type === "") return isUtf8(bytes) && !bytes.includes(0) ? "text" : "base64";
  if (JSON_TYPE.test(type)) return "json";
  return TEXT_TYPE.test(type) ? "text" : "base64";
}

/**
 * Decodes by the byte order mark, else by the content type, else as UTF-8. JSON that is valid UTF-8 is read as such
 * whatever its content type says (RFC 8259, 8.1).
 */
function decodeText(bytes: Uint8Array, contentType: string, format: "json" | "text"): string {
  const named = charsetOf(contentType);
  const marked = BYTE_ORDER_MARKS.find(([, mark]) => mark.every((byte, index) => bytes[index] === byte))?.[0];
  const charset = marked ?? (format === "json" && isUtf8(bytes) ? undefined : named);
  try {
    return createDecoder(charset).decode(bytes);
  } catch {
    throw new HttpFailure(
      "HTTP_RESPONSE",
      "the body is not valid text in its character set; `response: base64` gives its bytes",
    );
  }
}

/** Falls back to UTF-8 if no character set is named or the name is unknown. */
function createDecoder(charset: string | undefined): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    return new TextDecoder("utf-8", { fatal: true });
  }
}

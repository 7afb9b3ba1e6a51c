import { isUtf8 } from "node:buffer";
import { TextDecoder } from "node:util";
import { HttpFailure } from "./http-failure.ts";
import { charsetOf, mediaTypeOf, readJson } from "./json.ts";

/** How the body of a response is given: `auto` goes by its content type, and without one by its bytes. */
export type ResponseFormat = "auto" | "json" | "text" | "base64";

const JSON_TYPE = /^(application|text)\/(.+\+)?json$/;
const TEXT_TYPE = /^(text\/.+|application\/(.+\+)?(xml|yaml)|application\/(javascript|x-www-form-urlencoded))$/;

/** A byte order mark says more than a content type (Encoding standard, decode). */
const BYTE_ORDER_MARKS: readonly [string, readonly number[]][] = [
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16be", [0xfe, 0xff]],
  ["utf-16le", [0xff, 0xfe]],
];

/**
 * The bytes as a JSON value, as text or as base64. A body without anything in it is null as JSON.
 *
 * @param contentType the response header of that name
 * @throws HttpFailure `HTTP_RESPONSE` where it is not what it should be; the message holds nothing of it
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

/** What a body that explains a failure says, or null where it is not text by its content type and its bytes. */
export function explanation(bytes: Uint8Array, contentType: string): string | null {
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
 * By the byte order mark, else by the content type, else as UTF-8. JSON is UTF-8 (RFC 8259) whatever its content type says, which
 * only counts where the bytes are not.
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

/** For UTF-8 where no character set is named, or one that nobody knows. */
function createDecoder(charset: string | undefined): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    return new TextDecoder("utf-8", { fatal: true });
  }
}

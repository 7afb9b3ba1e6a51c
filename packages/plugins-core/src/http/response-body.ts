import { isUtf8 } from "node:buffer";
import { HttpFailure } from "./http-failure.ts";

/** How the body of a response is given: `auto` goes by its content type, and without one by its bytes. */
export type ResponseFormat = "auto" | "json" | "text" | "base64";

const JSON_TYPE = /^application\/(.+\+)?json$/;
const TEXT_TYPE = /^(text\/.+|application\/(.+\+)?(xml|yaml)|application\/(javascript|x-www-form-urlencoded))$/;

/** Deeper values would overflow the stack of whoever walks over them later. */
const MAX_DEPTH = 512;

/**
 * The bytes as a JSON value, as text or as base64. An empty body is null as JSON.
 *
 * @param contentType the response header of that name
 * @throws HttpFailure where it is not JSON and should be; the message holds nothing of it
 */
export function decodeBody(bytes: Uint8Array, format: ResponseFormat, contentType: string): unknown {
  switch (format === "auto" ? formatOf(contentType, bytes) : format) {
    case "json":
      return parseJson(new TextDecoder().decode(bytes));
    case "text":
      return decodeText(bytes, contentType);
    default:
      return Buffer.from(bytes).toString("base64");
  }
}

function formatOf(contentType: string, bytes: Uint8Array): "json" | "text" | "base64" {
  const type = contentType.replace(/;.*$/s, "").trim().toLowerCase();
  if (type === "") return isUtf8(bytes) && !bytes.includes(0) ? "text" : "base64";
  if (JSON_TYPE.test(type)) return "json";
  return TEXT_TYPE.test(type) ? "text" : "base64";
}

function parseJson(text: string): unknown {
  if (text === "") return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new HttpFailure("the body is not valid JSON; `response: text` gives it as it stands");
  }
  if (isDeep(value)) throw new HttpFailure(`the body is JSON of more than ${MAX_DEPTH} levels`);
  return value;
}

/** Level by level, because the depth is what must not be walked recursively. */
function isDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []));
    if (level.length === 0) return false;
  }
  return true;
}

/** In UTF-8 where the content type names no character set, or one that nobody knows. */
function decodeText(bytes: Uint8Array, contentType: string): string {
  const charset = /;\s*charset="?([^\s";]+)/i.exec(contentType)?.[1];
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

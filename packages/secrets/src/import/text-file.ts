import { createReadStream } from "node:fs";
import { readBytes } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, quotePath } from "@autokestra/secrets-core/internal";

/**
 * Reads a text file, as {@link readSourceText} does.
 *
 * @throws AutokestraError `OPTION_INVALID` if the file cannot be read; `VALUE_INVALID`
 */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readSourceText(createReadStream(path), `The file ${quotePath(path)}`);
  } catch (error) {
    throw error instanceof AutokestraError ? error : fileUnreadable(path, error);
  }
}

/**
 * Decodes text to import: UTF-8, or UTF-16 with a byte order mark as Windows writes it; at most 16 MiB. Removes the
 * mark and one newline at the end.
 *
 * @param source what the bytes are, as the subject of a message
 * @throws AutokestraError `VALUE_INVALID` for more bytes or another encoding; the message names the line
 */
export async function readSourceText(bytes: AsyncIterable<Uint8Array>, source: string): Promise<string> {
  return decode(await readBytes(bytes, source), source).replace(/\r?\n$/, "");
}

/** A file cannot be opened or read. */
export function fileUnreadable(path: string, error: unknown): AutokestraError {
  const code = errorCode(error) || "unknown error";
  return new AutokestraError("OPTION_INVALID", `The file ${quotePath(path)} cannot be read (${code})`);
}

function decode(bytes: Buffer, source: string): string {
  const encoding = encodingOf(bytes);
  const text = encoding === "utf-16" ? null : tryDecode(bytes, encoding);
  if (text !== null) return text;
  const line = encoding === "utf-8" ? ` (line ${firstInvalidLine(bytes)})` : "";
  const what = encoding === "utf-8" ? "is not UTF-8 text" : "is UTF-16 text that cannot be read";
  throw new AutokestraError("VALUE_INVALID", `${source} ${what}${line}`, { hint: "Save it as UTF-8." });
}

/** Returns `utf-16` for text without a byte order mark, which is recognised by its zero bytes. */
function encodingOf(bytes: Buffer): "utf-8" | "utf-16le" | "utf-16be" | "utf-16" {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  return bytes.length > 1 && (first === 0) !== (second === 0) ? "utf-16" : "utf-8";
}

function tryDecode(bytes: Uint8Array, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function firstInvalidLine(bytes: Buffer): number {
  let line = 1;
  for (let at = 0; at < bytes.length; line += 1) {
    const end = bytes.indexOf(10, at);
    if (end === -1 || tryDecode(bytes.subarray(at, end), "utf-8") === null) break;
    at = end + 1;
  }
  return line;
}

import { createReadStream } from "node:fs";
import { AutokestraError, errorCode, quotePath } from "@autokestra/secrets-core";
import { readText } from "@autokestra/secrets-resolver";

/**
 * Reads a file of text: UTF-8, at most 16 MiB, without a byte order mark at its beginning and one newline at its end.
 *
 * @throws AutokestraError `USAGE` where it cannot be read; `VALUE_INVALID` where it is larger, or not UTF-8
 */
export async function readTextFile(path: string): Promise<string> {
  try {
    const text = await readText(createReadStream(path), `The file ${quotePath(path)}`);
    return text.replace(/^\ufeff/, "");
  } catch (error) {
    throw error instanceof AutokestraError ? error : fileUnreadable(path, error);
  }
}

/** The error for a file that cannot be opened or read, whatever its content. */
export function fileUnreadable(path: string, error: unknown): AutokestraError {
  const code = errorCode(error) || "unknown error";
  return new AutokestraError("USAGE", `The file ${quotePath(path)} cannot be read (${code})`);
}

import { AutokestraError, MAX_SECRET_LENGTH } from "@autokestra/secrets-core";

/**
 * Reads a value from a file or from standard input: UTF-8, at most 16 MiB, less one newline at the end. A byte order mark
 * stays.
 *
 * @param source where the bytes are from, for the message
 * @throws AutokestraError `VALUE_INVALID` where there are more bytes, or bytes that are not UTF-8
 */
export async function readText(bytes: AsyncIterable<Uint8Array>, source: string): Promise<string> {
  const all = await readBytes(bytes, source);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(all).replace(/\r?\n$/, "");
  } catch {
    throw new AutokestraError("VALUE_INVALID", `${source} is not UTF-8 text`, {
      hint: "Encode binary values as base64.",
    });
  }
}

/**
 * Reads at most 16 MiB.
 *
 * @param source where the bytes are from, for the message
 * @throws AutokestraError `VALUE_INVALID` where there are more
 */
export async function readBytes(bytes: AsyncIterable<Uint8Array>, source: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.length;
    if (length > MAX_SECRET_LENGTH) throw new AutokestraError("VALUE_INVALID", `${source} holds more than 16 MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

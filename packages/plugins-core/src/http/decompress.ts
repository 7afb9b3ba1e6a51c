import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { HttpFailure } from "./http-failure.ts";

type Decompressor = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;

const DECOMPRESSORS: ReadonlyMap<string, Decompressor> = new Map<string, Decompressor>([
  ["gzip", promisify(gunzip)],
  ["x-gzip", promisify(gunzip)],
  ["deflate", promisify(inflate)],
  ["br", promisify(brotliDecompress)],
]);

/** Said of a response that is larger on the wire, and of one that is only after decompression. */
export const TOO_LARGE = "the response is larger than maxResponseBytes";

/**
 * Undoes the content encoding of a response (RFC 9110, 8.4). One encoding only: a bomb in a bomb has no honest use.
 *
 * @param encoding the response header Content-Encoding; empty where there is none
 * @throws HttpFailure where the result would be larger than `maxBytes`, is damaged, or its encoding is unknown
 */
export async function decompress(bytes: Uint8Array, encoding: string, maxBytes: number): Promise<Uint8Array> {
  const name = encoding.trim().toLowerCase();
  if (name === "" || name === "identity" || bytes.length === 0) return bytes;
  const decompressor = DECOMPRESSORS.get(name);
  if (!decompressor) {
    throw new HttpFailure("HTTP_RESPONSE", "the response is compressed in another way than gzip, deflate or br");
  }
  try {
    return await decompressor(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const large = error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
    throw new HttpFailure("HTTP_RESPONSE", large ? TOO_LARGE : "the compressed response is damaged");
  }
}

import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { z } from "@autokestra/plugin-sdk";
import type { Dispatcher } from "undici";
import { failsTask, HttpFailure, type StatusRules } from "./http-failure.ts";
import { decodeBody, explainFailure, type ResponseFormat } from "./response-body.ts";

/** What reading a response needs of the request, and how many bytes it may still have. */
export interface ReadLimits extends StatusRules {
  readonly response: ResponseFormat;
  readonly maxBytes: number;
}

/** A response without what only the task knows, and its size after decompression. */
interface ReadResponse extends Pick<HttpResponse, "status" | "ok" | "headers" | "body"> {
  readonly size: number;
}

/**
 * Reads a response to its end. If its status fails the task, the body is only an explanation: text, or null if it is
 * not text or cannot be read.
 *
 * @throws HttpFailure, and errors of undici
 */
export async function readResponse(response: Dispatcher.ResponseData, limits: ReadLimits): Promise<ReadResponse> {
  const { statusCode: status, headers } = response;
  const type = String(headers["content-type"] ?? "");
  const read = { status, ok: status >= 200 && status <= 299, headers: joinHeaders(headers) };
  if (failsTask(status, limits)) {
    const body = await readBytes(response, limits.maxBytes).then(
      (bytes) => explainFailure(bytes, type),
      () => null,
    );
    return { ...read, body, size: 0 };
  }
  const bytes = await readBytes(response, limits.maxBytes);
  return { ...read, body: decodeBody(bytes, limits.response, type), size: bytes.length };
}

async function readBytes({ headers, body }: Dispatcher.ResponseData, maxBytes: number): Promise<Uint8Array> {
  const bytes = await decompress(await body.bytes(), String(headers["content-encoding"] ?? ""), maxBytes);
  // The limit on the wire does not know how much the pages before had.
  if (bytes.length > maxBytes) throw new HttpFailure("HTTP_RESPONSE", RESPONSE_TOO_LARGE);
  return bytes;
}

/** The output of `core/http.request` and `core/http.get`. */
export interface HttpResponse {
  readonly status: number;
  /** True for 200 to 299. */
  readonly ok: boolean;
  /**
   * The headers by lower-case name. Repeated ones are joined with `, `, except `set-cookie`, which is always a list.
   */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** A JSON value, text, or base64. */
  readonly body: unknown;
  /** The URL of the response, after redirects. */
  readonly url: string;
  /** The time until the end of the body, with redirects, in milliseconds. */
  readonly durationMs: number;
  /** The bodies of all pages in their order, with `paginate`. */
  readonly pages?: readonly unknown[] | undefined;
}

export const httpResponseSchema: z.ZodType<HttpResponse, HttpResponse> = z.strictObject({
  status: z.int(),
  ok: z.boolean(),
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string()).readonly()])),
  body: z.unknown(),
  url: z.string(),
  durationMs: z.int(),
  pages: z.array(z.unknown()).readonly().optional(),
});

/** Joins the values of repeated headers (RFC 9110, 5.3), except Set-Cookie, whose values contain commas themselves. */
function joinHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): HttpResponse["headers"] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value = ""]) => {
      const values = [value].flat();
      return [name, name === "set-cookie" ? values : values.join(", ")];
    }),
  );
}

type Decompressor = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;

const DECOMPRESSORS: ReadonlyMap<string, Decompressor> = new Map<string, Decompressor>([
  ["gzip", promisify(gunzip)],
  ["x-gzip", promisify(gunzip)],
  ["deflate", promisify(inflate)],
  ["br", promisify(brotliDecompress)],
]);

/** The message for a response that is too large on the wire or after decompression. */
export const RESPONSE_TOO_LARGE = "the response is larger than maxResponseBytes";

/**
 * Decompresses a response (RFC 9110, 8.4). Only one encoding is accepted, because several have hardly any use but as a
 * bomb.
 *
 * @param encoding the Content-Encoding header; empty if there is none
 * @throws HttpFailure `HTTP_RESPONSE` if the result would exceed `maxBytes`, is damaged, or its encoding is unknown
 */
async function decompress(bytes: Uint8Array, encoding: string, maxBytes: number): Promise<Uint8Array> {
  const name = encoding.trim().toLowerCase();
  if (name === "" || name === "identity" || bytes.length === 0) return bytes;
  const decompressor = DECOMPRESSORS.get(name);
  if (!decompressor) {
    throw new HttpFailure("HTTP_RESPONSE", "the response is compressed in another way than gzip, deflate or br");
  }
  try {
    return await decompressor(bytes, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    const large = error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
    throw new HttpFailure("HTTP_RESPONSE", large ? RESPONSE_TOO_LARGE : "the compressed response is damaged");
  }
}

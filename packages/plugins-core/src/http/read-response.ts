import type { Dispatcher } from "undici";
import { decompress } from "./decompress.ts";
import type { HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { decodeBody } from "./response-body.ts";
import { joinHeaders } from "./response-headers.ts";

/** Reads a response to its end. @throws HttpFailure, and errors of undici */
export async function readResponse(
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  { maxResponseBytes, response }: HttpRequest,
): Promise<Pick<HttpResponse, "status" | "ok" | "headers" | "body">> {
  const { "content-encoding": encoding = "", "content-type": type = "" } = headers;
  const bytes = await decompress(await body.bytes(), String(encoding), maxResponseBytes);
  return {
    status,
    ok: status >= 200 && status <= 299,
    headers: joinHeaders(headers),
    body: decodeBody(bytes, response, String(type)),
  };
}

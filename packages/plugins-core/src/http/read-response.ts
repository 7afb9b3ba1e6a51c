import type { Dispatcher } from "undici";
import { decompress } from "./decompress.ts";
import type { HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { decodeBody, explanation } from "./response-body.ts";
import { joinHeaders } from "./response-headers.ts";
import { failsTask } from "./status-failure.ts";

/**
 * Reads a response to its end. Of one whose status fails the task the body is only an explanation: its text, or null where it is
 * not text or cannot be read.
 *
 * @throws HttpFailure, and errors of undici
 */
export async function readResponse(
  response: Dispatcher.ResponseData,
  request: HttpRequest,
): Promise<Pick<HttpResponse, "status" | "ok" | "headers" | "body">> {
  const { statusCode: status, headers } = response;
  const type = String(headers["content-type"] ?? "");
  const body = failsTask(status, request)
    ? await readBytes(response, request).then(
        (bytes) => explanation(bytes, type),
        () => null,
      )
    : decodeBody(await readBytes(response, request), request.response, type);
  return { status, ok: status >= 200 && status <= 299, headers: joinHeaders(headers), body };
}

async function readBytes({ headers, body }: Dispatcher.ResponseData, request: HttpRequest): Promise<Uint8Array> {
  return await decompress(await body.bytes(), String(headers["content-encoding"] ?? ""), request.maxResponseBytes);
}

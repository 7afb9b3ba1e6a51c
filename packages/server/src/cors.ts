import { AutokestraError } from "@autokestra/secrets-core";
import { isUrl } from "@autokestra/secrets-core/internal";
import type { FastifyInstance } from "fastify";

/**
 * Checks the origins whose pages may call the server, as browsers write them in `Origin`.
 *
 * @throws AutokestraError `OPTION_INVALID`
 */
export function checkOrigins(origins: readonly string[]): void {
  if (origins.every((origin) => isUrl(origin) && new URL(origin).origin === origin)) return;
  throw new AutokestraError("OPTION_INVALID", "An allowed origin is not one such as https://app.example:3000");
}

/** Lets pages of these origins call the server (https://fetch.spec.whatwg.org/#http-cors-protocol). */
export function allowOrigins(app: FastifyInstance, origins: readonly string[]): void {
  app.addHook("onRequest", async (request, reply) => {
    const { origin = "", "access-control-request-method": wanted } = request.headers;
    reply.header("vary", "Origin");
    if (!origins.includes(origin)) return undefined;
    reply.headers({ "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED_HEADERS });
    if (request.method !== "OPTIONS" || wanted === undefined) return undefined;
    return await reply.code(204).headers(PREFLIGHT_HEADERS).send();
  });
}

const EXPOSED_HEADERS = "ETag, Link, Location, Retry-After, X-Request-Id, X-Total-Count";
const PREFLIGHT_HEADERS = {
  "access-control-allow-methods": "GET, HEAD, POST, PUT, DELETE",
  "access-control-allow-headers":
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID",
  "access-control-max-age": "600",
};

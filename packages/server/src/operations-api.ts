import type { Permission } from "@autokestra/secrets";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod/v4";
import type { AccessControl } from "./access-control.ts";
import { problemResponse } from "./api-route.ts";
import { DOCS_STYLE, renderDocs } from "./docs-page.ts";
import { addRoute } from "./http-rules.ts";
import type { Metrics } from "./metrics.ts";
import { createReadiness, type ReadinessCheck } from "./readiness.ts";

/** Routes that anybody may call. */
export const OPEN_PATHS: ReadonlySet<string> = new Set([
  "/health/live",
  "/health/ready",
  "/openapi.json",
  "/docs",
  "/docs/style.css",
]);

const liveSchema = z.object({ status: z.literal("ok") });
const readySchema = z.object({
  status: z.enum(["ok", "failed"]),
  parts: z
    .array(z.object({ part: z.string(), status: z.enum(["ok", "failed"]) }))
    .optional()
    .describe("With a token only"),
});

/** Adds what operators need: health, metrics, and the description of the API. */
export function addOperations(
  app: FastifyInstance,
  access: AccessControl,
  metrics: Metrics,
  checks: readonly ReadinessCheck[],
): void {
  const tags = ["operations"];
  const readiness = createReadiness(checks, (parts) => metrics.setReady(parts));
  addRoute(app, {
    method: "GET",
    url: "/health/live",
    schema: { summary: "Tell that the server runs. Open", tags, security: [], response: { 200: liveSchema } },
    handler: async () => ({ status: "ok" }),
  });
  addRoute(app, {
    method: "GET",
    url: "/health/ready",
    schema: {
      summary: "Tell whether the server can do its work; with a token, which part cannot. Open",
      tags,
      security: [],
      response: { 200: readySchema, 503: readySchema },
    },
    async handler(request, reply) {
      const parts = await readiness();
      const status = parts.every((part) => part.status === "ok") ? "ok" : "failed";
      reply.code(status === "ok" ? 200 : 503);
      return (await isKnown(access, request)) ? { status, parts } : { status };
    },
  });
  addRoute(app, {
    method: "GET",
    url: "/metrics",
    onRequest: async (request) => await access.authorize(request, "metrics:read" satisfies Permission),
    schema: {
      summary: "Give figures to Prometheus",
      tags,
      response: {
        200: { description: "Text for Prometheus", content: { "text/plain": { schema: z.string() } } },
        401: problemResponse(401),
        403: problemResponse(403),
      },
    },
    async handler(_, reply) {
      return await reply
        .type(metrics.contentType)
        .serializer(String)
        .send(await metrics.read());
    },
  });
  addDescription(app);
}

/** A wrong token gets the answer without the detail. It counts as a refused attempt, as everywhere. */
async function isKnown(access: AccessControl, request: FastifyRequest): Promise<boolean> {
  if (request.headers.authorization === undefined) return false;
  try {
    await access.authenticate(request);
    return true;
  } catch {
    return false;
  }
}

/** The description is made once: it does not change while the server runs. */
function addDescription(app: FastifyInstance): void {
  let description: object | null = null;
  let page: string | null = null;
  const describe = () => (description ??= app.swagger());
  addRoute(app, {
    method: "GET",
    url: "/openapi.json",
    schema: { hide: true },
    handler: async () => describe(),
  });
  addRoute(app, {
    method: "GET",
    url: "/docs",
    schema: { hide: true },
    async handler(_, reply) {
      page ??= renderDocs(describe());
      return await reply.type("text/html; charset=utf-8").serializer(String).send(page);
    },
  });
  addRoute(app, {
    method: "GET",
    url: "/docs/style.css",
    schema: { hide: true },
    handler: async (_, reply) => await reply.type("text/css").serializer(String).send(DOCS_STYLE),
  });
}

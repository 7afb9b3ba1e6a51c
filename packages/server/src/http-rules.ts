import { AutokestraError } from "@autokestra/secrets-core";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import { validatorCompiler } from "fastify-type-provider-zod";
import { createBodyBudget } from "./body-budget.ts";
import { parseJsonBody } from "./json-body.ts";
import { headersOf, statusOf, toKnownError, toProblem } from "./problem.ts";

/** The largest body: 1 MiB. */
export const MAX_BODY_BYTES: number = 1024 * 1024;

/** What happens with failures that are not the client's: for a log. Default: nothing. */
export type OnFailure = (request: FastifyRequest, error: unknown) => void;

/**
 * What is true of every route in a part of a server: bodies are JSON, problems are RFC 9457, nothing is cached, and a path that is there
 * says which methods it has.
 */
export function applyHttpRules(app: FastifyInstance, onFailure: OnFailure = () => undefined): HttpRules {
  const routes: KnownRoute[] = [];
  app.addHook("onRoute", (route) => {
    if (!route.url.includes("*")) routes.push(toKnownRoute(route));
  });
  app.setValidatorCompiler(validatorCompiler);
  // What goes out is made of our own types: to check it once more would take longer than to write it.
  app.setSerializerCompiler(() => (body) => JSON.stringify(body));
  app.setErrorHandler(
    async (error: FastifyError, request, reply) => await sendProblem(error, request, reply, onFailure),
  );
  async function answerUnknown(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const allow = allowedMethods(routes, request.url);
    const error =
      allow.length === 0
        ? new AutokestraError("NOT_FOUND", "There is nothing at this path")
        : new AutokestraError("METHOD_NOT_ALLOWED", `This path allows ${allow.join(", ")}`, { details: { allow } });
    await sendProblem(error, request, reply, onFailure);
  }
  app.setNotFoundHandler(answerUnknown);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    "application/json",
    { parseAs: "buffer", bodyLimit: MAX_BODY_BYTES },
    async (request: FastifyRequest, body: Buffer) => {
      if (!isUtf8(request.headers["content-type"] ?? "")) throw unsupported("The body must be in UTF-8");
      // Many clients name a type with every request.
      return body.length === 0 ? undefined : parseJsonBody(body);
    },
  );
  const budget = createBodyBudget();
  app.addHook("preParsing", (request, reply, payload, done) => {
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding === "identity") done(null, budget.watch(request, reply, payload));
    else done(unsupported("The body must not be compressed"));
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    reply.header("x-request-id", request.id);
    if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
    done(null, payload);
  });
  return {
    refuseUnknownPaths() {
      app.addHook("onRequest", (request, reply, done) => {
        // The router finds `/secrets/:id` at `/secrets/` too, where no other route has the method.
        const isEmpty = Object.values(request.params as Readonly<Record<string, unknown>>).includes("");
        if (request.is404 || isEmpty) void answerUnknown(request, reply);
        else done();
      });
    },
  };
}

interface HttpRules {
  /** Answers for unknown paths, before anything else of a request is checked. For requests whose caller is known. */
  refuseUnknownPaths(): void;
}

/** Answers with the public part of an error. */
export async function sendProblem(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  onFailure: OnFailure,
): Promise<FastifyReply> {
  const error = toKnownError(thrown);
  const status = statusOf(error);
  if (status >= 500) onFailure(request, thrown);
  return await reply
    .code(status)
    .headers(headersOf(error))
    .type("application/problem+json")
    .serializer((body: unknown) => JSON.stringify(body))
    .send(toProblem(error, request.id));
}

/** Registers a route with and without a slash at its end: clients write both. */
export function addRoute(app: FastifyInstance, route: RouteOptions): void {
  app.route(route);
  if (route.url !== "/") app.route({ ...route, url: `${route.url}/`, schema: { ...route.schema, hide: true } });
}

interface KnownRoute {
  readonly pattern: RegExp;
  readonly methods: readonly string[];
}

function toKnownRoute({ url, method }: RouteOptions): KnownRoute {
  const path = url.replace(/\/$/, "").replace(/:[a-z]+/gi, "[^/]+");
  return { pattern: new RegExp(`^${path}/?$`), methods: [method].flat() };
}

function allowedMethods(routes: readonly KnownRoute[], url: string): readonly string[] {
  const [path = ""] = url.split("?", 1);
  const matching = routes.filter(({ pattern }) => pattern.test(path));
  return [...new Set(matching.flatMap(({ methods }) => methods))].sort();
}

function isUtf8(contentType: string): boolean {
  const charset = /;\s*charset="?([^";\s]*)/i.exec(contentType)?.[1]?.toLowerCase();
  return charset === undefined || charset === "utf-8" || charset === "utf8";
}

function unsupported(detail: string): AutokestraError {
  return new AutokestraError("MEDIA_TYPE_UNSUPPORTED", detail);
}

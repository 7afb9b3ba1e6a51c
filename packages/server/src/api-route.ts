import type { AuditContext, Permission } from "@autokestra/secrets";
import type { SecretService } from "@autokestra/secrets-core";
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods, RouteOptions } from "fastify";
import { z } from "zod/v4";
import type { AccessControl } from "./access-control.ts";
import { addRoute } from "./http-rules.ts";
import { actorOf, type Principal } from "./principal.ts";
import { noQuerySchema, problemSchema } from "./schemas.ts";

/** What every route works with. */
export interface ApiCall {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly principal: Principal;
  readonly secrets: SecretService;
}

/** What the routes of one part of the API have in common. */
export interface ApiPart<Call extends ApiCall> {
  readonly access: AccessControl;
  /** The secrets as one caller has them, whose reads and changes are recorded. */
  readonly secretsFor: (context: AuditContext) => SecretService;
  /** Its name in the description. */
  readonly tag: string;
  /** Adds what only its routes work with. */
  readonly toCall: (call: ApiCall) => Call;
}

/** A call of the API. */
export interface ApiRoute<Call> {
  readonly method: HTTPMethods;
  readonly url: string;
  /** What the token must be allowed to do. Null: any token will do. */
  readonly permission: Permission | null;
  readonly summary: string;
  /** The name of the call in the description. */
  readonly operationId: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly headers?: z.ZodType;
  readonly body?: z.ZodType;
  /** What it answers with, and the status of success. Default: 200. */
  readonly answer: z.ZodType;
  /** The other types of its answers, which are texts. Default: JSON only. */
  readonly texts?: readonly string[];
  readonly status?: 200 | 201 | 202;
  /** Other statuses, besides those of every route. */
  readonly refusals: readonly number[];
  readonly handle: (call: Call) => Promise<unknown>;
}

const EVERY_REFUSAL = [401, 403, 429, 500, 503];

/** Adds a route that needs its permission. */
export function addApiRoute<Call extends ApiCall>(
  app: FastifyInstance,
  { access, secretsFor, tag, toCall }: ApiPart<Call>,
  route: ApiRoute<Call>,
  more: Partial<RouteOptions> = {},
): void {
  const { method, url, permission, handle, status = 200 } = route;
  addRoute(app, {
    method,
    url,
    onRequest: async (request) => await access.authorize(request, permission),
    schema: describeRoute(route, tag),
    ...more,
    async handler(request, reply) {
      const principal = await access.authenticate(request);
      const secrets = secretsFor({ actor: actorOf(principal, request.ip), requestId: request.id });
      reply.code(status);
      return await handle(toCall({ request, reply, principal, secrets }));
    },
  });
}

/** What fastify checks of a request, and what the description says of the call. */
function describeRoute(
  {
    summary,
    operationId,
    params,
    query = noQuerySchema,
    headers,
    body,
    answer,
    texts = [],
    status = 200,
    refusals,
  }: Omit<ApiRoute<never>, "handle">,
  tag: string,
) {
  const problems = [...EVERY_REFUSAL, ...refusals]
    .sort((a, b) => a - b)
    .map((code) => [code, code === 304 ? NOT_MODIFIED : problemResponse(code)]);
  return {
    summary,
    operationId,
    tags: [tag],
    ...(params && { params }),
    querystring: query,
    ...(headers && { headers }),
    ...(body && { body }),
    response: {
      [status]: texts.length === 0 ? answer : describeTypes(answer, texts),
      ...Object.fromEntries(problems),
    },
  };
}

const NOT_MODIFIED = z.null().describe("The client has it as it is");

function describeTypes(answer: z.ZodType, texts: readonly string[]): object {
  const types = [["application/json", { schema: answer }], ...texts.map((type) => [type, { schema: z.string() }])];
  return { description: "As `Accept` says", content: Object.fromEntries(types) };
}

/** The calls that take the id in an answer, for the description. @param key of the answer */
export function linksTo(key: string, operationIds: readonly string[]): Readonly<Record<string, object>> {
  const parameters = { id: `$response.body#/${key}` };
  return Object.fromEntries(operationIds.map((operationId) => [operationId, { operationId, parameters }]));
}

/** How the description shows a refusal. */
export function problemResponse(code: number): object {
  return {
    description: code === 401 ? "No valid token" : "A problem",
    content: { "application/problem+json": { schema: problemSchema } },
  };
}

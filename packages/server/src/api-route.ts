import type { Permission } from "@autokestra/secrets";
import type { HTTPMethods } from "fastify";
import type { z } from "zod/v4";
import { noQuerySchema, problemSchema } from "./schemas.ts";

/** A call of the API. */
export interface ApiRoute<Call> {
  readonly method: HTTPMethods;
  readonly url: string;
  readonly permission: Permission;
  readonly summary: string;
  /** The name of the call in the description. */
  readonly operationId: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly headers?: z.ZodType;
  readonly body?: z.ZodType;
  /** What it answers with, and the status of success. Default: 200. */
  readonly answer: z.ZodType;
  readonly status?: 200 | 201 | 202;
  /** Statuses of refusals, besides those of every route. */
  readonly refusals: readonly number[];
  readonly handle: (call: Call) => Promise<unknown>;
}

const EVERY_REFUSAL = [401, 403, 429, 500, 503];

/** What fastify checks of a request, and what the description says of the call. */
export function describeRoute(
  {
    summary,
    operationId,
    params,
    query = noQuerySchema,
    headers,
    body,
    answer,
    status = 200,
    refusals,
  }: Omit<ApiRoute<never>, "handle">,
  tag: string,
) {
  const problems = [...EVERY_REFUSAL, ...refusals].sort((a, b) => a - b).map((code) => [code, problemResponse(code)]);
  return {
    summary,
    operationId,
    tags: [tag],
    ...(params && { params }),
    querystring: query,
    ...(headers && { headers }),
    ...(body && { body }),
    response: { [status]: answer, ...Object.fromEntries(problems) },
  };
}

/** How the description shows a refusal. */
export function problemResponse(code: number): object {
  return {
    description: code === 401 ? "No valid token" : "A problem",
    content: { "application/problem+json": { schema: problemSchema } },
  };
}

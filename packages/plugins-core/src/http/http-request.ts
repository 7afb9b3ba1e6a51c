import { z } from "@autokestra/plugin-sdk";
import { textOrJson } from "../text-or-json.ts";
import { authorizationSchema } from "./authorization.ts";
import type { Hop } from "./hop.ts";
import type { FollowRedirects } from "./next-hop.ts";
import { headersSchema } from "./request-headers.ts";
import { addQuery, querySchema, urlSchema } from "./request-url.ts";
import type { ResponseFormat } from "./response-body.ts";

/** The input of `core/http.request` once it is checked: ready to be sent. */
export interface HttpRequest {
  readonly first: Hop;
  /** For everything together: connection, redirects, body. */
  readonly timeoutSeconds: number;
  readonly followRedirects: FollowRedirects;
  /** Counts on the wire and again after decompression. */
  readonly maxResponseBytes: number;
  readonly response: ResponseFormat;
}

const MAX_TIMEOUT_SECONDS = 24 * 60 * 60;
const DEFAULT_RESPONSE_BYTES = 10 * 1024 * 1024;
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;

const shared = z.strictObject({
  url: urlSchema,
  query: querySchema.optional(),
  headers: headersSchema.optional(),
  auth: authorizationSchema.optional(),
  timeoutSeconds: z.number().positive().max(MAX_TIMEOUT_SECONDS).default(30),
  followRedirects: z.enum(["same-origin", "always", "never"]).default("same-origin"),
  maxResponseBytes: z.int().positive().max(MAX_RESPONSE_BYTES).default(DEFAULT_RESPONSE_BYTES),
  response: z.enum(["auto", "json", "text", "base64"]).default("auto"),
});

const full = shared.extend({
  method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]).default("GET"),
  body: textOrJson.optional(),
});

/** The input of `core/http.request`. */
export const requestSchema: z.ZodType<HttpRequest> = full.transform(prepare);

/** The input of `core/http.get`. */
export const getSchema: z.ZodType<HttpRequest> = shared.transform((input, context) =>
  prepare({ ...input, method: "GET" }, context),
);

function prepare(input: z.output<typeof full>, context: z.RefinementCtx): HttpRequest {
  const { method, url, query = new URLSearchParams(), headers = {}, auth, body, ...options } = input;
  if (auth !== undefined && Object.hasOwn(headers, "authorization")) {
    context.addIssue({
      code: "custom",
      path: ["auth"],
      params: { expected: "auth or an Authorization header, not both" },
    });
  }
  const contentType = body?.json ? { "content-type": "application/json" } : {};
  const authorization = auth === undefined ? {} : { authorization: auth };
  const first = {
    method,
    url: addQuery(url, query),
    headers: { ...contentType, ...headers, ...authorization },
    body: body?.text,
  };
  return { first, ...options };
}

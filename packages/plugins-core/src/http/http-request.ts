import { z } from "@autokestra/plugin-sdk";
import type { StatusRules } from "./http-failure.ts";
import type { FollowRedirects } from "./next-hop.ts";
import { encodeBody } from "./request-body.ts";
import { authorizationSchema, headersSchema } from "./request-headers.ts";
import type { Hop } from "./request-url.ts";
import { addQuery, parametersSchema, urlSchema } from "./request-url.ts";
import type { ResponseFormat } from "./response-body.ts";

/** The checked input of `core/http.request`, ready to be sent. */
export interface HttpRequest extends StatusRules {
  readonly first: Hop;
  /** The limit for connection, redirects and body together, in seconds. Default: 30. */
  readonly timeoutSeconds: number;
  readonly followRedirects: FollowRedirects;
  /** The limit for the size on the wire and again after decompression. Default: 10 MiB. */
  readonly maxResponseBytes: number;
  readonly response: ResponseFormat;
}

const MAX_TIMEOUT_SECONDS = 24 * 60 * 60;
const DEFAULT_RESPONSE_BYTES = 10 * 1024 * 1024;
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;

const shared = z.strictObject({
  url: urlSchema,
  query: parametersSchema.optional(),
  headers: headersSchema.optional(),
  auth: authorizationSchema.optional(),
  timeoutSeconds: z.number().positive().max(MAX_TIMEOUT_SECONDS).default(30),
  followRedirects: z.enum(["same-origin", "always", "never"]).default("same-origin"),
  failOnStatus: z.boolean().default(true),
  allowStatus: z.array(z.int().min(400).max(599)).default([]),
  maxResponseBytes: z.int().positive().max(MAX_RESPONSE_BYTES).default(DEFAULT_RESPONSE_BYTES),
  response: z.enum(["auto", "json", "text", "base64"]).default("auto"),
});

const full = shared.extend({
  method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]).default("GET"),
  body: z.unknown().optional(),
  form: parametersSchema.optional(),
});

/** The input of `core/http.request`. */
export const requestSchema: z.ZodType<HttpRequest> = full.transform(prepare);

/** The input of `core/http.get`. */
export const getSchema: z.ZodType<HttpRequest> = shared.transform((input, context) =>
  prepare({ ...input, method: "GET" }, context),
);

function prepare(input: z.output<typeof full>, context: z.RefinementCtx): HttpRequest {
  const { method, url: target, query = new URLSearchParams(), headers = {}, auth, body, form, ...options } = input;
  if (auth !== undefined && Object.hasOwn(headers, "authorization")) {
    context.addIssue({
      code: "custom",
      path: ["auth"],
      params: { expected: "auth or an Authorization header, not both" },
    });
  }
  const { text, contentType } = encodeBody({ body, form, contentType: headers["content-type"] }, context);
  const first = {
    method,
    url: addQuery(target.url, query),
    origin: target.origin,
    headers: {
      ...(contentType === undefined ? {} : { "content-type": contentType }),
      ...headers,
      ...(auth === undefined ? {} : { authorization: auth }),
    },
    body: text,
  };
  return { first, ...options };
}

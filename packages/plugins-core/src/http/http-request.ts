import { z } from "@autokestra/plugin-sdk";
import type { StatusRules } from "./http-failure.ts";
import type { FollowRedirects } from "./next-hop.ts";
import { type Pagination, paginationSchema } from "./pagination.ts";
import { encodeBody, filesSchema } from "./request-body.ts";
import { authorizationSchema, headersSchema } from "./request-headers.ts";
import type { Hop } from "./request-url.ts";
import { addQuery, parametersSchema, urlSchema } from "./request-url.ts";
import type { ResponseFormat } from "./response-body.ts";
import { tlsSchema } from "./tls-options.ts";

/** The checked input of `core/http.request`, ready to be sent. */
export interface HttpRequest extends StatusRules {
  readonly first: Hop;
  /** The limit for connection, redirects and body together, for each page, in seconds. Default: 30. */
  readonly timeoutSeconds: number;
  readonly followRedirects: FollowRedirects;
  /**
   * The limit for the size of a response on the wire, and again for all pages together after decompression. Default: 10
   * MiB.
   */
  readonly maxResponseBytes: number;
  readonly response: ResponseFormat;
  /** `environment` uses `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. Default: `environment`. */
  readonly proxy: "environment" | "off";
  /** Default: only one page is read. */
  readonly paginate?: Pagination | undefined;
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
  tls: tlsSchema.optional(),
  proxy: z.enum(["environment", "off"]).default("environment"),
  paginate: paginationSchema.optional(),
});

const full = shared.extend({
  method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]).default("GET"),
  body: z.unknown().optional(),
  form: parametersSchema.optional(),
  files: filesSchema.optional(),
});

/** The input of `core/http.request`. */
export const requestSchema: z.ZodType<HttpRequest> = full.transform(prepare);

/** The input of `core/http.get`. */
export const getSchema: z.ZodType<HttpRequest> = shared.transform((input, context) =>
  prepare({ ...input, method: "GET" }, context),
);

function prepare(input: z.output<typeof full>, context: z.RefinementCtx): HttpRequest {
  const { method, url: target, query, headers = {}, auth, body, form, files, tls, ...options } = input;
  if (auth !== undefined && Object.hasOwn(headers, "authorization")) {
    context.addIssue({
      code: "custom",
      path: ["auth"],
      params: { expected: "auth or an Authorization header, not both" },
    });
  }
  if (tls !== undefined && target.url.protocol !== "https:") {
    context.addIssue({ code: "custom", path: ["tls"], params: { expected: "an https: URL beside it" } });
  }
  const encoded = encodeBody({ body, form, files, contentType: headers["content-type"] }, context);
  const first = {
    method,
    url: addQuery(target.url, query ?? new URLSearchParams()),
    origin: target.origin,
    headers: {
      ...(encoded.contentType === undefined ? {} : { "content-type": encoded.contentType }),
      ...headers,
      ...(auth === undefined ? {} : { authorization: auth }),
    },
    body: encoded.body,
    tls,
  };
  return { first, ...options };
}

import { z } from "@autokestra/plugin-sdk";

/** The output of `core/http.request` and `core/http.get`. */
export interface HttpResponse {
  readonly status: number;
  /** True for 200 to 299. */
  readonly ok: boolean;
  /** By lower-case name. Values of a repeated header are joined by ", "; `set-cookie` alone is always a list. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** A JSON value, text, or base64. */
  readonly body: unknown;
  /** Where the response came from, after redirects. */
  readonly url: string;
  /** From the start to the end of the body, redirects included. */
  readonly durationMs: number;
}

export const httpResponseSchema: z.ZodType<HttpResponse, HttpResponse> = z.strictObject({
  status: z.int(),
  ok: z.boolean(),
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string()).readonly()])),
  body: z.unknown(),
  url: z.string(),
  durationMs: z.int(),
});

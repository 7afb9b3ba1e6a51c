import { z } from "@autokestra/plugin-sdk";
import { namedValues } from "./request-url.ts";

/** A token (RFC 9110, 5.6.2). */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** No control characters except the tab (RFC 9110, 5.5). */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers of the connection. One that does not fit the body would allow request smuggling. */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "http2-settings",
  "keep-alive",
  // It would reach the server where there is no proxy. Its user name and password are in HTTPS_PROXY.
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Headers by name; the result has lower-case names. Issues contain names, never values. */
export const headersSchema: z.ZodType<Readonly<Record<string, string>>> = namedValues(
  z.union([z.string(), z.number(), z.boolean()]),
).transform((headers, context) => {
  const result = new Map<string, string>();
  for (const [givenName, givenValue] of Object.entries(headers)) {
    const name = givenName.toLowerCase();
    const value = String(givenValue);
    const problem = result.has(name) ? "each header once, whatever the case of its letters" : findProblem(name, value);
    if (problem !== null) context.addIssue({ code: "custom", path: [givenName], params: { expected: problem } });
    result.set(name, value);
  }
  return Object.fromEntries(result);
});

function findProblem(name: string, value: string): string | null {
  if (!NAME.test(name)) return "a header name of letters, digits and hyphens";
  if (CONNECTION_HEADERS.has(name)) return "no such header: it is set by the connection itself";
  return VALUE.test(value) ? null : "a value without line breaks, control characters and characters beyond Latin-1";
}

const USERNAME = "text without colon, line breaks and other control characters";
const PASSWORD = "text without line breaks and other control characters";
const BEARER = "a token without spaces, line breaks and non-ASCII characters";
const ONE_OF = "either basic: { username, password } or bearer";

const basic = z.strictObject({
  // The first colon ends the user name, and neither part may hold a control character (RFC 7617, 2).
  username: z.string().refine((text) => /^[^:\p{Cc}]*$/u.test(text), { params: { expected: USERNAME } }),
  password: z
    .string()
    .refine((text) => /^\P{Cc}*$/u.test(text), { params: { expected: PASSWORD } })
    .meta({ secret: true }),
});

const bearer = z
  .string()
  .refine((text) => /^[!-~]+$/.test(text), { params: { expected: BEARER } })
  .meta({ secret: true });

/** Turns `{ basic: { username, password } }` or `{ bearer }` into the value of the Authorization header. */
export const authorizationSchema: z.ZodType<string> = z
  .strictObject({ basic: basic.optional(), bearer: bearer.optional() })
  .transform((auth, context) => {
    if (auth.basic && auth.bearer === undefined) {
      return `Basic ${Buffer.from(`${auth.basic.username}:${auth.basic.password}`).toString("base64")}`;
    }
    if (auth.bearer !== undefined && auth.basic === undefined) return `Bearer ${auth.bearer}`;
    context.addIssue({ code: "custom", params: { expected: ONE_OF } });
    return z.NEVER;
  });

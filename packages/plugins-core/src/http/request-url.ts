import type { File } from "node:buffer";
import { z } from "@autokestra/plugin-sdk";
import { parseUrl } from "./parse-url.ts";
import type { TlsOptions } from "./tls-options.ts";

/** What a message expects instead of text that is not well-formed. */
export const WELL_FORMED_TEXT = "text without halves of surrogate pairs";

/** Text that UTF-8 can hold. */
export const wellFormedText: z.ZodString = z.string().refine(isWellFormed, { params: { expected: WELL_FORMED_TEXT } });
const scalars = [wellFormedText, z.number(), z.boolean()] as const;

/** Parameters of a query or a form, by name. A list repeats the parameter for each element. */
export const parametersSchema: z.ZodType<URLSearchParams> = namedValues(
  z.union([...scalars, z.array(z.union(scalars))]),
).transform((parameters) => {
  const result = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) result.append(name, String(one));
  }
  return result;
});

export const urlSchema: z.ZodType<Pick<Hop, "url" | "origin">> = z.string().transform((given, context) => {
  const problem = findProblem(given);
  if (problem === null) {
    const url = new URL(given);
    return { url, origin: originAsWritten(given, url) };
  }
  context.addIssue({ code: "custom", params: { expected: problem } });
  return z.NEVER;
});

function findProblem(given: string): string | null {
  const url = parseUrl(given);
  if (url === null) return "an absolute URL";
  const { protocol, username, password } = url;
  if (protocol !== "http:" && protocol !== "https:") return "an http: or https: URL";
  if (username !== "" || password !== "") {
    return "a URL without user name and password; give them as auth: { basic: { username, password } }";
  }
  return isWellFormed(given) ? null : WELL_FORMED_TEXT;
}

/**
 * Returns the origin as `given` spells it. The URL parser turns hosts into lower case, punycode or IPv4 addresses, and
 * a secret in the host would then appear in messages in a form that no masker knows.
 */
export function originAsWritten(given: string, url: URL): string {
  const authority = /^[\s\0]*(?:https?:)?[\\/]*([^\\/?#]*)/i.exec(given)?.[1] ?? "";
  const written = `${url.protocol}//${authority.slice(authority.lastIndexOf("@") + 1).trimEnd()}`;
  return parseUrl(written)?.origin === url.origin ? written : url.origin;
}

/** Adds parameters after those of the URL, which stay as written, because a signed URL must not change. */
export function addQuery(url: URL, query: URLSearchParams): URL {
  const result = new URL(url);
  result.search = [url.search.slice(1), query.toString()].filter((part) => part !== "").join("&");
  result.hash = "";
  return result;
}

/** False for text with lone surrogates, which UTF-8 would silently replace with U+FFFD. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** An object whose names are well-formed. `__proto__` is refused, because zod would drop it silently. */
export function namedValues<Value>(value: z.ZodType<Value>): z.ZodType<Record<string, Value>> {
  return z
    .unknown()
    .refine((given) => typeof given !== "object" || given === null || !Object.hasOwn(given, "__proto__"), {
      params: { expected: "no name '__proto__'" },
    })
    .pipe(z.record(wellFormedText, value));
}

/** The fields of a multipart form, in their order. */
export type FormFields = readonly (readonly [name: string, value: string | File])[];

/** One request on the wire. A redirect leads to the next hop. */
export interface Hop {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  /** Has no user name and no password. */
  readonly url: URL;
  /** Scheme, host and port as written, for messages: a masker does not know what the URL parser makes of them. */
  readonly origin: string;
  /** The headers of the workflow, with Authorization, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | FormFields | undefined;
  /** The TLS options of the workflow. Default: none. */
  readonly tls?: TlsOptions | undefined;
}

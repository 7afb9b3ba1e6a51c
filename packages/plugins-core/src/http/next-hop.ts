import { HttpFailure } from "./http-failure.ts";
import { parseUrl } from "./parse-url.ts";
import type { Hop } from "./request-url.ts";
import { originAsWritten } from "./request-url.ts";

/** Which redirects are followed. An origin is scheme, host and port, so https and http are different origins. */
export type FollowRedirects = "same-origin" | "always" | "never";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const NOT_MODIFIED = 304;

/** Headers that describe a body and are dropped with it (Fetch standard, HTTP-redirect fetch). */
const BODY_HEADERS = ["content-encoding", "content-language", "content-length", "content-location", "content-type"];

/**
 * Finds the request that follows a response, or null if the response is the result.
 *
 * A hop to another origin drops everything that the workflow gave. Each hop starts from the one before, so nothing
 * comes back when a later redirect returns to the first origin.
 *
 * @param location the Location header, which may be missing
 * @throws HttpFailure `HTTP_REDIRECT` if the response is a redirect that cannot or must not be followed
 */
export function nextHop(hop: Hop, status: number, location: unknown, follow: FollowRedirects): Hop | null {
  if (status < 300 || status > 399 || status === NOT_MODIFIED || follow === "never") return null;
  if (!REDIRECTS.has(status)) throw notFollowed("this status leads to no single place");
  const target = resolveLocation(location, hop);
  if (target === null) throw notFollowed("the redirect has no usable location");
  const sameOrigin = target.url.origin === hop.url.origin;
  if (!sameOrigin && follow === "same-origin") {
    throw new HttpFailure(
      "HTTP_REDIRECT",
      `it redirects to another origin, ${target.origin}; \`followRedirects: always\` goes there without headers and body`,
    );
  }
  const toGet = status === 303 ? hop.method !== "HEAD" : status <= 302 && hop.method === "POST";
  const method = toGet ? "GET" : hop.method;
  if (!sameOrigin) return { method, ...target, headers: {}, body: undefined };
  return toGet
    ? { ...hop, ...target, method, headers: withoutBodyHeaders(hop.headers), body: undefined }
    : { ...hop, ...target };
}

function notFollowed(reason: string): HttpFailure {
  return new HttpFailure("HTTP_REDIRECT", `${reason}; \`followRedirects: never\` gives the response as it is`);
}

/** Longer URLs are not usable, in characters: messages quote the origin. */
const LONGEST_LOCATION = 16 * 1024;

/** Resolves a URL that a server gives; null if it is not usable. User name and password are dropped. */
export function resolveLocation(location: unknown, { url: base, origin }: Hop): Pick<Hop, "url" | "origin"> | null {
  if (typeof location !== "string" || location === "" || location.length > LONGEST_LOCATION) return null;
  const url = parseUrl(location, base);
  if (url === null) return null;
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  url.username = "";
  url.password = "";
  return { url, origin: url.origin === base.origin ? origin : originAsWritten(location, url) };
}

function withoutBodyHeaders(headers: Hop["headers"]): Hop["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !BODY_HEADERS.includes(name)));
}

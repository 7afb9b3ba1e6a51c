import type { Hop } from "./hop.ts";

/** Which redirects are followed. An origin is scheme, host and port: from https to http is another one. */
export type FollowRedirects = "same-origin" | "always" | "never";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** These describe a body and go when it goes (Fetch standard, HTTP-redirect fetch). */
const BODY_HEADERS = ["content-encoding", "content-language", "content-length", "content-location", "content-type"];

/**
 * Where a response sends us, or null where it is the result.
 *
 * A hop to another origin takes nothing along that the workflow gave, and since the next hop starts from this one, nothing
 * comes back when a later redirect returns to the first origin.
 *
 * @param location the response header of that name
 */
export function nextHop(hop: Hop, status: number, location: unknown, follow: FollowRedirects): Hop | null {
  const url = REDIRECTS.has(status) ? resolveLocation(location, hop.url) : null;
  if (url === null || follow === "never") return null;
  const sameOrigin = url.origin === hop.url.origin;
  if (!sameOrigin && follow === "same-origin") return null;
  const toGet = status === 303 ? hop.method !== "HEAD" : status <= 302 && hop.method === "POST";
  const method = toGet ? "GET" : hop.method;
  if (!sameOrigin) return { method, url, headers: {}, body: undefined };
  return toGet ? { method, url, headers: withoutBodyHeaders(hop.headers), body: undefined } : { ...hop, url };
}

function resolveLocation(location: unknown, base: URL): URL | null {
  if (typeof location !== "string" || !URL.canParse(location, base.href)) return null;
  const url = new URL(location, base);
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  url.username = "";
  url.password = "";
  return url;
}

function withoutBodyHeaders(headers: Hop["headers"]): Hop["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !BODY_HEADERS.includes(name)));
}

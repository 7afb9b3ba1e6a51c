import { z } from "@autokestra/plugin-sdk";
import { HttpFailure } from "./http-failure.ts";
import { resolveLocation } from "./next-hop.ts";
import type { Hop } from "./request-url.ts";
import type { HttpResponse } from "./response.ts";

/** How the pages of a list are read. */
export interface Pagination {
  /** The path of the URL of the next page in the output, such as `body.next` or `headers.link`. */
  readonly next: string;
  /** Default: 100. */
  readonly maxPages: number;
}

export const paginationSchema: z.ZodType<Pagination> = z.strictObject({
  next: z.string().refine((path) => /^(?:body|headers)\../.test(path), {
    params: { expected: "a path such as body.next or headers.link" },
  }),
  maxPages: z.int().min(1).max(10_000).default(100),
});

/**
 * Finds the request for the next page: the one before, with another URL of the same origin.
 *
 * @param path where a response has the URL of the next page
 * @param read the URLs of the pages before
 * @returns null after the last page, which has null, an empty text or nothing there
 * @throws HttpFailure `HTTP_PAGINATION` if it leads to another origin, to a page that was read, or nowhere
 */
export function nextPage(
  hop: Hop,
  path: string,
  response: Pick<HttpResponse, "headers" | "body">,
  read: ReadonlySet<string>,
): Hop | null {
  const found = valueAt({ ...response }, path.split("."));
  const next = path === "headers.link" && typeof found === "string" ? nextLink(found) : found;
  if (next === undefined || next === null || next === "") return null;
  const target = resolveLocation(next, hop);
  if (target === null) throw notRead(`\`${path}\` is neither a URL nor null`);
  if (target.url.origin !== hop.url.origin) throw notRead(`the next page is at another origin, ${target.origin}`);
  target.url.hash = "";
  if (read.has(target.url.href)) throw notRead("the next page is one that was already read");
  return { ...hop, ...target };
}

function notRead(reason: string): HttpFailure {
  return new HttpFailure("HTTP_PAGINATION", reason);
}

/** Names can contain dots themselves, such as `@odata.nextLink`, so the longest one is tried first. */
function valueAt(value: unknown, path: readonly string[]): unknown {
  if (path.length === 0) return value;
  if (typeof value !== "object" || value === null) return undefined;
  for (let length = path.length; length > 0; length--) {
    const name = path.slice(0, length).join(".");
    if (Object.hasOwn(value, name)) return valueAt(Reflect.get(value, name), path.slice(length));
  }
  return undefined;
}

/** Finds the URL of `rel="next"` in a Link header (RFC 8288). */
function nextLink(header: string): string | undefined {
  for (const [, url, parameters = ""] of header.matchAll(/<([^<>]*)>([^<]*)/g)) {
    const relations = /;\s*rel\s*=\s*("[^"]*"|[^\s;,"]+)/i.exec(parameters)?.[1] ?? "";
    if (relations.replaceAll('"', "").toLowerCase().split(" ").includes("next")) return url;
  }
  return undefined;
}

import { describe, expect, it } from "vitest";
import { HttpFailure } from "../../src/http/http-failure.ts";
import { type FollowRedirects, nextHop } from "../../src/http/next-hop.ts";
import type { Hop } from "../../src/http/request-url.ts";

const first: Hop = {
  method: "POST",
  url: new URL("https://a.example/start?key=1"),
  origin: "https://a.example",
  headers: { authorization: "Bearer T", "content-type": "text/plain", "x-key": "K" },
  body: "B",
  tls: { ca: "C" },
};

describe("where it leads", () => {
  it.each<[string, FollowRedirects, number, unknown, string | null]>([
    ["the same origin", "same-origin", 302, "/next", "https://a.example/next"],
    ["a relative path", "same-origin", 302, "next?x=1", "https://a.example/next?x=1"],
    ["the same origin with its port", "same-origin", 302, "https://A.example:443/n", "https://a.example/n"],
    ["the same origin with credentials", "same-origin", 302, "https://u:p@a.example/n", "https://a.example/n"],
    ["another host, allowed", "always", 302, "https://b.example/", "https://b.example/"],
    ["another host with credentials", "always", 302, "https://u:p@b.example/", "https://b.example/"],
    ["never", "never", 302, "/next", null],
    ["never, elsewhere", "never", 302, "https://b.example/", null],
    ["never, nowhere", "never", 302, undefined, null],
    ["never, 300", "never", 300, "/next", null],
    ["not a redirect", "always", 200, "/next", null],
    ["an error", "same-origin", 404, "https://b.example/", null],
    ["not modified", "same-origin", 304, "/next", null],
  ])("%s (%s, %i)", (_, follow, status, location, expected) => {
    expect(nextHop(first, status, location, follow)?.url.href ?? null).toBe(expected);
  });

  it.each([
    ["another host", "https://b.example/p?k=1", "https://b.example"],
    ["another host without scheme", "//B.example/p", "https://B.example"],
    ["another host behind backslashes", "\\\\b.example\\", "https://b.example"],
    ["a subdomain", "https://www.a.example/", "https://www.a.example"],
    ["another port", "https://a.example:8443/", "https://a.example:8443"],
    ["a downgrade to http", "http://a.example/", "http://a.example"],
    ["credentials", "https://u:p@b.example/", "https://b.example"],
  ])("KP14: not to another origin, unless it may: %s", (_, location, origin) => {
    const message = `it redirects to another origin, ${origin}; \`followRedirects: always\` goes there without headers and body`;
    expect(() => nextHop(first, 302, location, "same-origin")).toThrow(new HttpFailure("HTTP_REDIRECT", message));
    expect(nextHop(first, 302, location, "always")).not.toBeNull();
  });

  const NOWHERE = "the redirect has no usable location";
  const NO_PLACE = "this status leads to no single place";
  it.each<[string, number, unknown, string]>([
    ["no location", 302, undefined, NOWHERE],
    ["an empty location", 302, "", NOWHERE],
    ["two locations", 302, ["/a", "/b"], NOWHERE],
    ["no URL", 302, "https://", NOWHERE],
    ["a file", 302, "file:///etc/passwd", NOWHERE],
    ["script", 302, "javascript:alert(1)", NOWHERE],
    ["300", 300, "/next", NO_PLACE],
    ["300 without location", 300, undefined, NO_PLACE],
    ["305", 305, "/next", NO_PLACE],
    ["399", 399, undefined, NO_PLACE],
  ])("KP14: nowhere: %s", (_, status, location, reason) => {
    const message = `${reason}; \`followRedirects: never\` gives the response as it is`;
    for (const follow of ["same-origin", "always"] as const) {
      expect(() => nextHop(first, status, location, follow)).toThrow(new HttpFailure("HTTP_REDIRECT", message));
    }
  });
});

describe("what goes along to the same origin", () => {
  it.each([
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [303, "PUT", "GET"],
    [303, "GET", "GET"],
  ] as const)("%i after %s becomes %s without a body", (status, method, expected) => {
    expect(nextHop({ ...first, method }, status, "/next", "same-origin")).toEqual({
      method: expected,
      url: new URL("https://a.example/next"),
      origin: "https://a.example",
      headers: { authorization: "Bearer T", "x-key": "K" },
      body: undefined,
      tls: { ca: "C" },
    });
  });

  it.each([
    [301, "PUT"],
    [302, "DELETE"],
    [303, "HEAD"],
    [307, "POST"],
    [308, "POST"],
  ] as const)("%i after %s changes nothing but the URL", (status, method) => {
    const hop = { ...first, method };
    expect(nextHop(hop, status, "/next", "same-origin")).toEqual({ ...hop, url: new URL("https://a.example/next") });
  });
});

describe("what goes along to another origin", () => {
  it.each([
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [307, "POST", "POST"],
    [308, "PUT", "PUT"],
  ] as const)("%i after %s: nothing", (status, method, expected) => {
    for (const location of ["https://b.example/", "http://a.example/", "https://a.example:8443/"]) {
      const url = new URL(location);
      const hop = nextHop({ ...first, method }, status, location, "always");
      expect(hop).toEqual({ method: expected, url, origin: url.origin, headers: {}, body: undefined });
    }
  });
});

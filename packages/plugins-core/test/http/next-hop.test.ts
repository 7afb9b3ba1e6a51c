import { describe, expect, it } from "vitest";
import type { Hop } from "../../src/http/hop.ts";
import { type FollowRedirects, nextHop } from "../../src/http/next-hop.ts";

const first: Hop = {
  method: "POST",
  url: new URL("https://a.example/start?key=1"),
  headers: { authorization: "Bearer T", "content-type": "text/plain", "x-key": "K" },
  body: "B",
};

describe("where it leads", () => {
  it.each<[string, FollowRedirects, number, unknown, string | null]>([
    ["the same origin", "same-origin", 302, "/next", "https://a.example/next"],
    ["a relative path", "same-origin", 302, "next?x=1", "https://a.example/next?x=1"],
    ["the same origin with its port", "same-origin", 302, "https://A.example:443/n", "https://a.example/n"],
    ["another host", "same-origin", 302, "https://b.example/", null],
    ["another host without scheme", "same-origin", 302, "//b.example/", null],
    ["another host behind backslashes", "same-origin", 302, "\\\\b.example\\", null],
    ["a subdomain", "same-origin", 302, "https://www.a.example/", null],
    ["another port", "same-origin", 302, "https://a.example:8443/", null],
    ["a downgrade to http", "same-origin", 302, "http://a.example/", null],
    ["another host, allowed", "always", 302, "https://b.example/", "https://b.example/"],
    ["another host with credentials", "always", 302, "https://u:p@b.example/", "https://b.example/"],
    ["never", "never", 302, "/next", null],
    ["no location", "always", 302, undefined, null],
    ["two locations", "always", 302, ["/a", "/b"], null],
    ["no URL", "always", 302, "https://", null],
    ["a file", "always", 302, "file:///etc/passwd", null],
    ["script", "always", 302, "javascript:alert(1)", null],
    ["not a redirect", "always", 200, "/next", null],
    ["300", "always", 300, "/next", null],
    ["304", "always", 304, "/next", null],
    ["305", "always", 305, "/next", null],
  ])("%s (%s, %i)", (_, follow, status, location, expected) => {
    expect(nextHop(first, status, location, follow)?.url.href ?? null).toBe(expected);
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
      headers: { authorization: "Bearer T", "x-key": "K" },
      body: undefined,
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
      expect(hop).toEqual({ method: expected, url, headers: {}, body: undefined });
    }
  });
});

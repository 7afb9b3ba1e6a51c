import fc from "fast-check";
import { expect, it } from "vitest";
import { allowsHost, intersectHosts } from "../src/index.ts";
import { createTestContext } from "../src/testing/index.ts";

it.each([
  ["api.example.com", "https://api.example.com/x", true],
  ["api.example.com", "http://API.example.com.:8080/", true],
  ["API.Example.com.", "https://api.example.com", true],
  ["api.example.com", "https://xapi.example.com", false],
  ["api.example.com", "https://api.example.com.evil.example", false],
  ["api.example.com", "https://example.com", false],
  ["api.example.com:443", "https://api.example.com", true],
  ["api.example.com:443", "http://api.example.com", false],
  ["api.example.com:80", "http://api.example.com", true],
  ["api.example.com:80", "http://api.example.com:8080", false],
  ["api.example.com:8443", "https://api.example.com:8443", true],
  ["*.example.com", "https://a.b.example.com", true],
  ["*.example.com", "https://example.com", false],
  ["*.example.com", "https://badexample.com", false],
  ["*.example.com:8443", "https://a.example.com", false],
  ["bücher.example", "https://xn--bcher-kva.example", true],
  ["[::1]:80", "http://[0:0::1]", true],
  ["[::1]", "http://[::2]", false],
  ["127.0.0.1", "http://2130706433/", true],
  ["*", "https://example.com", false],
  ["", "https://example.com", false],
  ["example.com/path", "https://example.com/path", false],
  ["user@example.com", "https://example.com", false],
  ["https://example.com", "https://example.com", false],
])("%s, %s: %s", (host, url, allowed) => {
  expect(allowsHost(["other.example", host], new URL(url))).toBe(allowed);
});

it("allows none with an empty list", () => expect(allowsHost([], new URL("https://example.com"))).toBe(false));

it("hands hosts to an action under test", () => {
  expect(createTestContext({ network: { hosts: ["a.example"] } }).network).toEqual({ hosts: ["a.example"] });
  expect(createTestContext()).not.toHaveProperty("network");
});

it.each<[readonly string[], readonly string[], readonly string[]]>([
  [["a.x"], ["a.x"], ["a.x"]],
  [["a.x"], ["b.x"], []],
  [["*.x"], ["a.x", "b.y"], ["a.x"]],
  [["*.x"], ["x"], []],
  [["*.x"], ["*.b.x"], ["*.b.x"]],
  [["*.x:80"], ["*.b.x:81"], []],
  [["a.x:80"], ["*.x"], ["a.x:80"]],
  [["a.x"], ["a.x:80", "a.x:81"], ["a.x:80", "a.x:81"]],
  [["A.X."], ["a.x"], ["a.x"]],
  [[], ["a.x"], []],
  [["not a host"], ["*.x", "a.x"], []],
])("%j and %j have %j in common", (some, others, expected) => {
  expect(intersectHosts(some, others)).toEqual(expected);
  expect(intersectHosts(others, some)).toEqual(expected);
});

it("allows by an intersection what both lists allow, and nothing else", () => {
  const label = fc.constantFrom("a", "b", "a.b", "b.a", "c.a.b");
  const port = fc.constantFrom("", ":80", ":443", ":81");
  const host = fc.tuple(fc.constantFrom("", "*."), label, port).map((parts) => parts.join(""));
  const url = fc
    .tuple(fc.constantFrom("http://", "https://"), fc.constantFrom("", "x.", "a."), label, port)
    .map((parts) => new URL(parts.join("")));
  const hosts = fc.array(host, { maxLength: 4 });
  fc.assert(
    fc.property(hosts, hosts, url, (some, others, target) => {
      expect(allowsHost(intersectHosts(some, others), target)).toBe(
        allowsHost(some, target) && allowsHost(others, target),
      );
    }),
    { numRuns: 1000 },
  );
});

import { expect, it } from "vitest";
import { allowsHost } from "../src/index.ts";
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

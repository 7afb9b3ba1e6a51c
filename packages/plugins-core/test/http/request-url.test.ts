import { expect, it } from "vitest";
import { originAsWritten } from "../../src/http/request-url.ts";

it.each([
  ["http://MyTenant-8A7F.example/p?q#f", "http://MyTenant-8A7F.example"],
  ["HTTPS://MyTenant-8A7F.example:443", "https://MyTenant-8A7F.example:443"],
  ["https:\\\\MyTenant-8A7F.example\\p", "https://MyTenant-8A7F.example"],
  ["https://user:p@ss@MyTenant.example", "https://MyTenant.example"],
  ["//MyTenant-8A7F.example/p", "https://MyTenant-8A7F.example"],
  ["https://Bücher-8A7F.example", "https://Bücher-8A7F.example"],
  ["https://My%54enant-8A7F.example", "https://My%54enant-8A7F.example"],
  ["https://０x7F.1", "https://０x7F.1"],
  ["https://[::FFFF:7F00:1]:8080/", "https://[::FFFF:7F00:1]:8080"],
  [" https://MyTenant.example ", "https://MyTenant.example"],
  ["https://My\tTenant.example", "https://My\tTenant.example"],
])("KM5: %j has the origin %s", (given, expected) => {
  expect(originAsWritten(given, new URL(given, "https://base.example"))).toBe(expected);
});

it("falls back to the parsed origin where the text is read otherwise", () => {
  expect(originAsWritten("p/q", new URL("https://a.example/p/q"))).toBe("https://a.example");
});

import { describe, expect, it } from "vitest";
import { parseFields, type SecretType } from "../src/index.ts";
import { fieldsToGive, parseSecretType, primaryField, suggestSecretType } from "../src/internal.ts";

describe("parseFields", () => {
  it.each<[SecretType, object, object?]>([
    ["apiKey", { value: "v" }],
    ["basicAuth", { username: "u", password: "p" }],
    ["bearerToken", { token: "t" }],
    ["bearerToken", { token: "t", expiresAt: 1_800_000_000 }, { token: "t", expiresAt: "2027-01-15T08:00:00.000Z" }],
    ["oauth", { clientId: "i", clientSecret: "s" }],
    [
      "oauth",
      { clientId: "i", clientSecret: "s", scopes: "read, write" },
      { clientId: "i", clientSecret: "s", scopes: ["read", "write"] },
    ],
    [
      "oauth",
      {
        clientId: "i",
        clientSecret: "s",
        tokenUrl: "https://a.example/t",
        scopes: ["a"],
        accessToken: "x",
        refreshToken: "y",
      },
    ],
    ["custom", { host: "h", port: 5432, tls: true }],
    ["apiKey", { value: "\u0000\ud800 {{ secrets.X }} \r\n" }],
    ["custom", { a: "x", b: "y" }],
    ["basicAuth", { password: "p", username: "u" }],
  ])("takes %s %j", (type, fields, expected = fields) => {
    expect(parseFields("N", type, fields)).toEqual(expected);
  });

  it.each<[SecretType, unknown, string]>([
    ["apiKey", {}, "field value is missing"],
    ["apiKey", { value: 7 }, "field value is not of the right type"],
    ["apiKey", { value: "s3cret", extra: "s3cret" }, "unknown field extra"],
    ["basicAuth", { username: "s3cret" }, "field password is missing"],
    ["bearerToken", { token: "t", expiresAt: "s3cret" }, "field expiresAt must be a time"],
    ["oauth", { clientId: "i", clientSecret: "s", tokenUrl: "s3cret" }, "field tokenUrl must be a URL"],
    ["oauth", { clientId: "i", clientSecret: "s", scopes: '["s3cret","b"]' }, "field scopes must be words with spaces"],
    ["custom", {}, "needs at least one field"],
    ["custom", { a: { b: "s3cret" } }, "field a is not of the right type"],
    ["custom", { "a b": "s3cret" }, "invalid field name a b"],
    ["custom", { constructor: "s3cret" }, "invalid field name constructor"],
    ["apiKey", "s3cret", "fields must be an object"],
    ["apiKey", null, "fields must be an object"],
  ])("refuses %s %j without repeating a value", (type, fields, reason) => {
    const attempt = () => parseFields("NAME", type, fields);
    expect(attempt).toThrow(
      expect.objectContaining({ code: "VALUE_INVALID", message: expect.stringContaining(reason) }),
    );
    expect(attempt).toThrow(expect.objectContaining({ message: expect.not.stringContaining("s3cret") }));
  });

  it.each(["a b", "db.host", "", "ü", "x".repeat(300), "toString", "a=b", "{{ x }}", "a\nb"])(
    "keeps the name %j of an imported field",
    (name) => {
      const fields = { [name]: "s3cret", plain: 1 };
      expect(parseFields("N", "custom", fields, undefined, true)).toEqual(fields);
    },
  );

  it.each<[SecretType, object, string]>([
    ["custom", { constructor: "s3cret" }, "invalid field name constructor"],
    ["custom", { prototype: "s3cret" }, "invalid field name prototype"],
    ["custom", {}, "needs at least one field"],
    ["custom", { "a b": null }, "field a b is not of the right type"],
    ["apiKey", { value: "s3cret", "a b": "s3cret" }, "unknown field a b"],
  ])("refuses an imported %s %j", (type, fields, reason) => {
    expect(() => parseFields("N", type, fields, undefined, true)).toThrow(reason);
  });

  it.each<[SecretType, object]>([
    ["apiKey", { value: "" }],
    ["basicAuth", { username: "u", password: "" }],
    ["custom", { a: "" }],
  ])("refuses an empty value in %s", (type, fields) => {
    expect(() => parseFields("N", type, fields)).toThrow(
      expect.objectContaining({ code: "VALUE_EMPTY", message: "Secret value cannot be empty" }),
    );
  });

  it("keeps a key called __proto__ out", () => {
    expect(() => parseFields("N", "custom", JSON.parse('{"__proto__": "x"}'))).toThrow("custom");
    expect(Object.prototype).not.toHaveProperty("x");
  });
});

it.each<[SecretType, string[]]>([
  ["apiKey", ["value"]],
  ["bearerToken", ["token"]],
  ["basicAuth", ["username", "password"]],
  ["custom", ["value"]],
])("a person gives for %s %j", (type, fields) => {
  expect(fieldsToGive(type)).toEqual(fields);
});

describe("primaryField", () => {
  it.each<[SecretType, string[], string | null]>([
    ["apiKey", ["value"], "value"],
    ["bearerToken", ["token", "expiresAt"], "token"],
    ["custom", ["only"], "only"],
    ["custom", ["a", "b"], null],
    ["basicAuth", ["username", "password"], null],
    ["oauth", ["clientId", "clientSecret"], null],
  ])("of %s %j is %j", (type, fields, expected) => {
    expect(primaryField(type, fields)).toBe(expected);
  });
});

it("KD4: reads when a token expires, as people write it", () => {
  const fields = { token: "t", expiresAt: "90d" };
  const now = () => "2026-11-30T12:00:00.000Z";
  expect(parseFields("N", "bearerToken", fields, now)).toEqual({ token: "t", expiresAt: "2027-02-28T12:00:00.000Z" });
  expect(() => parseFields("N", "bearerToken", fields)).toThrow("field expiresAt must be a time");
  expect(parseFields("N", "custom", fields, now)).toEqual(fields);
});

describe("KP13: parseSecretType", () => {
  it.each([
    ["apiKey", "apiKey", "apiKey"],
    ["APIKey", "apiKey", "apiKey"],
    ["api_key", "apiKey", "apiKey"],
    ["API-KEY", "apiKey", "apiKey"],
    ["BasicAuth", "basicAuth", "basicAuth"],
    ["bearer token", "bearerToken", "bearerToken"],
    ["OAuth", "oauth", "oauth"],
    ["apikeys", null, "apiKey"],
    ["oauth2", null, "oauth"],
    ["basic", null, "basicAuth"],
    ["password", null, null],
    ["a", null, null],
    ["", null, null],
  ])("reads %j as %j, and suggests %j", (text, type, suggestion) => {
    expect(parseSecretType(text)).toBe(type);
    expect(suggestSecretType(text)).toBe(suggestion);
  });
});

import { type ProvidedSecret, parseSecretName, type SourceAnswer } from "@autokestra/secrets-core";
import { describe, expect, it } from "vitest";
import { toSecret, type ValueOptions } from "../src/index.ts";

function secretOf(
  value: ProvidedSecret["value"],
  options: Partial<ValueOptions> = {},
  more: Partial<ProvidedSecret> = {},
) {
  return toSecret(parseSecretName("DB"), { value, ...more }, { format: "json", ...options });
}

function found(type: string, fields: object): unknown {
  return { status: "found", secret: { type, fields, expiresAt: null } };
}

function reasonOf(answer: SourceAnswer): string {
  return `${answer.status}: ${"reason" in answer ? answer.reason : ""}`;
}

const PAIR = { user: "u", pass: "p" };

describe("toSecret", () => {
  it.each<[string, ProvidedSecret["value"], Partial<ValueOptions>, string, object]>([
    ["a text", "v", {}, "apiKey", { value: "v" }],
    ["a text with a newline", "v\n", {}, "apiKey", { value: "v\n" }],
    ["a JSON object in a text", '{"a":"b","n":1,"t":true}', {}, "custom", { a: "b", n: 1, t: true }],
    ["an object", { "any key": "b" }, {}, "custom", { "any key": "b" }],
    ["a JSON object as text", ' {"a": 1.0}\n', { format: "text" }, "apiKey", { value: ' {"a": 1.0}\n' }],
    ["an object as text", { a: 1 }, { format: "text" }, "apiKey", { value: '{"a":1}' }],
    ["what only looks like JSON", "{not json}", {}, "apiKey", { value: "{not json}" }],
    ["a JSON list", "[1,2]", {}, "apiKey", { value: "[1,2]" }],
    [
      "a number with its digits",
      '{"id":12345678901234567890,"r":1.10}',
      {},
      "custom",
      { id: "12345678901234567890", r: "1.10" },
    ],
    ["what is nested", '{"a":{"b":[1.10,null]}}', {}, "custom", { a: '{"b":[1.10,null]}' }],
    ["one field", PAIR, { field: "pass" }, "apiKey", { value: "p" }],
    ["one field that is JSON", { file: '{"k":"v"}' }, { field: "file" }, "custom", { k: "v" }],
    [
      "one field that is JSON as text",
      { file: '{"k":"v"}\n' },
      { field: "file", format: "text" },
      "apiKey",
      { value: '{"k":"v"}\n' },
    ],
    ["one field that is an object", { in: { k: "v" } }, { field: "in" }, "custom", { k: "v" }],
    ["one field that is a number", '{"pin":1.0}', { field: "pin" }, "apiKey", { value: "1.0" }],
    ["one field of a JSON text", '{"pass":"p"}', { field: "pass", type: "bearerToken" }, "bearerToken", { token: "p" }],
    [
      "fields under other names",
      { ...PAIR, host: "h" },
      { fields: { username: "user", password: "pass" }, type: "basicAuth" },
      "basicAuth",
      { username: "u", password: "p" },
    ],
    [
      "a number where the type has a text",
      { username: "u", password: 1234 },
      { type: "basicAuth" },
      "basicAuth",
      { username: "u", password: "1234" },
    ],
  ])("%s", (_what, value, options, type, fields) => {
    expect(secretOf(value, options)).toEqual(found(type, fields));
  });

  it.each<[string, ProvidedSecret["value"], Partial<ValueOptions>, string]>([
    ["a key twice", '{"a":"canary","a":"c"}', {}, "malformed: the value is a JSON object that has a key twice"],
    [
      "a key twice in a field",
      { f: '{"a":"canary","a":"c"}' },
      { field: "f" },
      "malformed: the value is a JSON object that has a key twice",
    ],
    ["a field that is not there", PAIR, { field: "canary" }, "notFound: Secret 'DB' has no field canary."],
    ["a field of a text", "v", { field: "a" }, "notFound: Secret 'DB' has no field a."],
    [
      "fields that are not there",
      PAIR,
      { fields: { username: "user", password: "b" } },
      "notFound: Secret 'DB' has no field b.",
    ],
    ["a field of the prototype", PAIR, { field: "toString" }, "notFound: Secret 'DB' has no field toString."],
    ["an empty text", "", {}, "malformed: Secret value cannot be empty"],
    ["an empty object", "{}", {}, "malformed: Invalid custom secret 'DB': needs at least one field"],
    ["null", { a: null }, {}, "malformed: Invalid custom secret 'DB': field a is not of the right type"],
    [
      "a text for a type with two fields",
      "canary",
      { type: "basicAuth" },
      "malformed: Invalid basicAuth secret 'DB': field username is missing; field password is missing; unknown field value",
    ],
    [
      "more than the type has",
      { ...PAIR, username: "u", password: "p" },
      { type: "basicAuth" },
      "malformed: Invalid basicAuth secret 'DB': unknown field user, pass",
    ],
    [
      "__proto__",
      '{"__proto__":"x","a":"b"}',
      {},
      "malformed: Invalid custom secret 'DB': invalid field name __proto__",
    ],
  ])("refuses %s", (_what, value, options, reason) => {
    expect(reasonOf(secretOf(value, options))).toBe(reason);
  });

  it("keeps version and expiry, also the one in a field", () => {
    const expiresAt = "2030-01-01T00:00:00.000Z";
    expect(secretOf("v", {}, { version: "7", expiresAt })).toMatchObject({ secret: { version: "7", expiresAt } });
    expect(secretOf({ token: "t", expiresAt: 1893456000 }, { type: "bearerToken" })).toMatchObject({
      secret: { expiresAt },
    });
  });
});

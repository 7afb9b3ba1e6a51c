import { expect, it } from "vitest";
import { HttpFailure } from "../../src/http/http-failure.ts";
import { decodeBody, type ResponseFormat } from "../../src/http/response-body.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

it.each<[ResponseFormat, string, Uint8Array, unknown]>([
  ["auto", "application/json", utf8('{"a":1}'), { a: 1 }],
  ["auto", "APPLICATION/JSON; charset=utf-8", utf8("[1]"), [1]],
  ["auto", "application/problem+json", utf8('{"status":400}'), { status: 400 }],
  ["auto", "application/json", utf8("\uFEFFtrue"), true],
  ["auto", "application/json", utf8(""), null],
  ["auto", "application/jsonp", utf8("x"), "eA=="],
  ["auto", "text/html", utf8("<p>ä"), "<p>ä"],
  ["auto", "text/plain; charset=iso-8859-1", Uint8Array.of(0xe4), "ä"],
  ["auto", 'text/plain; charset="utf-8"', utf8("ä"), "ä"],
  ["auto", "text/plain; charset=klingon", utf8("ä"), "ä"],
  ["auto", "text/plain", utf8("\uFEFFä"), "ä"],
  ["auto", "text/plain; charset=iso-8859-1", utf8("\uFEFFä"), "ä"],
  ["auto", "text/csv", Uint8Array.of(0xff, 0xfe, 0xe4, 0), "ä"],
  ["text", "application/octet-stream", Uint8Array.of(0xfe, 0xff, 0, 0xe4), "ä"],
  ["auto", "text/plain; charset=utf-16le", Uint8Array.of(0xe4, 0), "ä"],
  ["auto", "text/plain; charset=shift_jis", Uint8Array.of(0x82, 0xa0), "あ"],
  ["auto", "application/json; charset=iso-8859-1", Uint8Array.of(0x22, 0xe4, 0x22), "ä"],
  ["auto", "application/json; charset=iso-8859-1", utf8('"ä"'), "ä"],
  ["auto", "text/json", utf8("{}"), {}],
  ["auto", "application/json", utf8(" \r\n\t"), null],
  ["auto", "application/json", utf8("\uFEFF"), null],
  ["auto", "application/atom+xml", utf8("<a/>"), "<a/>"],
  ["auto", "image/png", Uint8Array.of(0, 255), "AP8="],
  ["auto", "", utf8("plain ä"), "plain ä"],
  ["auto", "", utf8("a\0"), "YQA="],
  ["auto", "", Uint8Array.of(0xff), "/w=="],
  ["json", "text/plain", utf8('"text"'), "text"],
  ["json", "", utf8(""), null],
  ["text", "application/json", utf8("{broken"), "{broken"],
  ["base64", "application/json", utf8("{}"), "e30="],
])("%s, %s", (format, type, bytes, expected) => {
  expect(decodeBody(bytes, format, type)).toEqual(expected);
});

it.each([
  ["not JSON", "canary-4711 is here", "the body is not valid JSON; `response: text` gives it as it stands"],
  ["cut off", '{"key":"canary-4711', "the body is not valid JSON; `response: text` gives it as it stands"],
  ["deep", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, "the body is JSON of more than 512 levels"],
])("fails on a body that is %s, without a word of it", (_, text, message) => {
  expect(() => decodeBody(utf8(text), "json", "")).toThrow(new HttpFailure("HTTP_RESPONSE", message));
});

it.each<[ResponseFormat, string, Uint8Array]>([
  ["auto", "text/plain", Uint8Array.of(0x61, 0xff)],
  ["auto", "text/plain; charset=klingon", Uint8Array.of(0xff)],
  ["auto", "text/plain; charset=shift_jis", Uint8Array.of(0x82)],
  ["auto", "text/plain", Uint8Array.of(0xff, 0xfe, 0xe4)],
  ["text", "", Uint8Array.of(0xc3)],
  ["auto", "application/json", Uint8Array.of(0x22, 0xe4, 0x22)],
  ["json", "", Uint8Array.of(0x22, 0xe4, 0x22)],
])("KD2: fails on a body that is not valid in its character set (%s, %s)", (format, type, bytes) => {
  expect(() => decodeBody(bytes, format, type)).toThrow(
    "the body is not valid text in its character set; `response: base64` gives its bytes",
  );
  expect(decodeBody(bytes, "base64", type)).toBe(Buffer.from(bytes).toString("base64"));
});

it("takes 512 levels", () => {
  const text = `${"[".repeat(512)}${"]".repeat(512)}`;
  expect(JSON.stringify(decodeBody(utf8(text), "json", ""))).toBe(text);
});

it("keeps a strange key as data", () => {
  const body = decodeBody(utf8('{"__proto__":{"polluted":true}}'), "json", "");
  expect(Object.keys(body as object)).toEqual(["__proto__"]);
  expect({}).not.toHaveProperty("polluted");
});

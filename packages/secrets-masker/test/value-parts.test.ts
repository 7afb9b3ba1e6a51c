import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { leaksOf } from "./leaks.ts";
import { JSON_VALUE, MULTI_LINE } from "./sample-values.ts";

const P = "***SECRET***";

describe("a value that is JSON", () => {
  const masker = createMasker([JSON_VALUE]);
  const parsed: unknown = JSON.parse(JSON_VALUE);

  it.each([
    ["as it is", JSON_VALUE, P],
    ["with an indent of 2", JSON.stringify(parsed, null, 2), P],
    ["in JSON", JSON.stringify({ a: JSON_VALUE }), `{"a":"${P}"}`],
    ["a text in it", "by client 104982763510092837461.", `by client ${P}.`],
    ["a word in it", "by service_account.", "by service_account."],
    ["a mail address in it", `mail from robot "R2'ö" <r2@example.com>`, `mail from robot "R2'ö" <r2@example.com>`],
    ["a PEM in JSON", JSON.stringify(MULTI_LINE.trim()), `"${P}"`],
    ["a number", "pin is 90210777!", `pin is ${P}!`],
    ["a short text", "pin is 0815!", "pin is 0815!"],
    ["a key", "client private_key e-mail", "client private_key e-mail"],
    ["base64 of a text in it", btoa("u:104982763510092837461"), `dT${P}`],
    ["a PEM in it", MULTI_LINE, P],
    ["a line of a PEM in it", MULTI_LINE.split("\n")[1] ?? "", P],
  ])("is masked in pieces: %s", (_, text, masked) => {
    expect(masker.mask(text)).toBe(masked);
  });

  it("is masked by maskValue after it was parsed", () => {
    expect(masker.maskValue(parsed)).toEqual({
      type: "service_account",
      private_key: P,
      client: { id: P, "e-mail": `robot "R2'ö" <r2@example.com>` },
      pins: [P, "0815"],
    });
  });
});

const KUBECONFIG = [
  "users:",
  "- user:",
  `    client-key-data: ${btoa(MULTI_LINE)}`,
  "    token: 'abcdefgh-12345'",
].join("\n");

describe.each([
  [
    "M11: the password of a URL",
    "postgres://app:hunter2%2Fhunter@db.example/app",
    "password hunter2/hunter",
    `password ${P}`,
  ],
  ["M11: the same, as it stands there", "postgres://app:hunter2%2Fhunter@db.example/app", "hunter2%2Fhunter", P],
  [
    "M11: its credentials in a header",
    "https://u:hunter2-hunter2@h/",
    `Basic ${btoa("u:hunter2-hunter2")}`,
    `Basic dT${P}`,
  ],
  ["a token in a URL", "https://abcdef0123456789@git.example/", "token abcdef0123456789", `token ${P}`],
  [
    "no password: a host, a user of 7",
    "https://someone@host.example:5432/x@y",
    "host.example someone",
    "host.example someone",
  ],
  ["a quoted text", '"Password123!!"', "123Password123!!123", `123${P}123`],
  ["the same, between apostrophes", " 'Password123!!' ", "Password123!!", P],
  ["one that is short", '"short"', "short shorter", `${P} shorter`],
  ["a PEM on one line", MULTI_LINE.replaceAll("\n", "\\n"), MULTI_LINE, P],
  ["the same, quoted, by line", JSON.stringify(MULTI_LINE), `> ${MULTI_LINE.split("\n")[1] ?? ""}`, `> ${P}`],
  ["a variable of a .env file", "A=1\nexport DB_PASSWORD='s3cret-s3cret'\n", "got s3cret-s3cret", `got ${P}`],
  ["a value of YAML", KUBECONFIG, "abcdefgh-12345", P],
  ["what base64 in YAML decodes to", KUBECONFIG, MULTI_LINE, P],
  ["what base64 decodes to", btoa("ein Schlüssel"), "ein Schlüssel", "ein Schlüssel"],
  ["the same, of UTF-8", Buffer.from("ein Schlüssel").toString("base64"), "ein Schlüssel", P],
  ["the same, in base64url", Buffer.from("~1~~?????>>>>").toString("base64url"), "~1~~?????>>>>", P],
  ["the same, in lines", `${btoa("a".repeat(60))}\n${btoa("B".repeat(30))}`, `${"a".repeat(60)}${"B".repeat(30)}`, P],
  ["the token in a JSON in base64", btoa('{"token":"abcdefgh-12345"}'), "abcdefgh-12345", P],
])("%s", (_, value, text, masked) => {
  it("is masked alone", () => {
    expect(createMasker([value]).mask(text)).toBe(masked);
  });
});

it.each([
  ["not JSON", '{"token": "abcdefgh-12345"'],
  ["binary in base64", btoa("\u0000\u0001abcdefgh-12345")],
])("%s has no parts", (_, value) => {
  expect(createMasker([value]).mask("abcdefgh-12345")).toBe("abcdefgh-12345");
});

it("JSON of any depth is taken apart, and not written again from 100 levels on", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}"abcdefgh-12345"${"]".repeat(depth)}`;
  for (const depth of [1, 99, 101, 30_000]) expect(createMasker([nested(depth)]).mask("abcdefgh-12345")).toBe(P);
  expect(createMasker([nested(90)]).mask(JSON.stringify(JSON.parse(nested(90)), null, 2))).toBe(P);
});

it("of a list of thousands, each text is masked", () => {
  const texts = Array.from({ length: 9_000 }, (_, index) => `${index}. text`.padStart(12, "#"));
  const masker = createMasker([JSON.stringify(texts)]);
  expect(leaksOf(masker.mask(texts.join("\n")), texts.join("\n"), 12)).toEqual([]);
});

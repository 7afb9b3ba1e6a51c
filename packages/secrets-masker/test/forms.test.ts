import { Buffer } from "node:buffer";
import querystring from "node:querystring";
import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { MULTI_LINE, NASTY, TOKEN } from "./sample-values.ts";

const lowerTriplets = (text: string) => text.replace(/%../g, (triplet) => triplet.toLowerCase());
const asciiJson = (text: string) =>
  JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
const html = (quote: string, apostrophe: string) => (text: string) =>
  Array.from(
    text,
    (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': quote, "'": apostrophe })[character] ?? character,
  ).join("");

/** The forms, each as made by other code than ours. */
const FORMS: readonly (readonly [string, string, (value: string) => string])[] = [
  ["value", "as it is", (value) => value],
  ["trimmed", "without white space around", (value) => value.trim()],
  ["line-ends", "with CRLF", (value) => value.replaceAll("\n", "\r\n")],
  ["line-ends", "with CR CR LF", (value) => value.replaceAll("\n", "\r\r\n")],
  ["line-ends", "on one line, with spaces", (value) => value.trim().replaceAll("\n", " ")],
  ["line-ends", "on one line", (value) => value.replaceAll("\n", "")],
  ["json", "JSON.stringify", (value) => JSON.stringify(value).slice(1, -1)],
  ["json", "JSON in JSON", (value) => JSON.stringify(JSON.stringify(value)).slice(3, -3)],
  ["json", "JSON in ASCII", (value) => asciiJson(value).slice(1, -1)],
  ["json", "JSON of PHP", (value) => JSON.stringify(value).slice(1, -1).replaceAll("/", "\\/")],
  [
    "json",
    "JSON of Go",
    (value) =>
      JSON.stringify(value)
        .slice(1, -1)
        .replaceAll("<", "\\u003c")
        .replaceAll(">", "\\u003e")
        .replaceAll("&", "\\u0026"),
  ],
  ["percent", "encodeURIComponent", encodeURIComponent],
  ["percent", "encodeURIComponent, lower case", (value) => lowerTriplets(encodeURIComponent(value))],
  ["percent", "encodeURI", encodeURI],
  ["percent", "querystring.escape", querystring.escape],
  [
    "percent",
    "the password of a URL",
    (value) => Object.assign(new URL("https://user@host/"), { password: value }).password,
  ],
  ["form", "URLSearchParams", (value) => new URLSearchParams({ value }).toString().slice("value=".length)],
  [
    "form",
    "URLSearchParams, lower case",
    (value) => lowerTriplets(new URLSearchParams([["", value]]).toString().slice(1)),
  ],
  ["html", "&quot; and &#39;", html("&quot;", "&#39;")],
  ["html", "&quot; and &apos;", html("&quot;", "&apos;")],
  ["html", "&#34; and &#x27;", html("&#34;", "&#x27;")],
  ["html", "&quot; and &#039;", html("&quot;", "&#039;")],
  ["html", "quotes as they are", html('"', "'")],
  ["base64", "with padding", (value) => Buffer.from(value).toString("base64")],
  ["base64", "without padding", (value) => Buffer.from(value).toString("base64").replaceAll("=", "")],
  ["base64url", "without padding", (value) => Buffer.from(value).toString("base64url")],
  ["hex", "lower case", (value) => Buffer.from(value).toString("hex")],
  ["hex", "upper case", (value) => Buffer.from(value).toString("hex").toUpperCase()],
];

const VALUES = { TOKEN, NASTY, MULTI_LINE, "8 letters": "abcdWXYZ", "white space around": "  \tsome secret\n" };

const table = FORMS.flatMap(([form, way, encode]) =>
  Object.entries(VALUES).map(([kind, value]) => ({ form, way, kind, value, encoded: encode(value) })),
);

describe.each(table)("$form ($way) of $kind", ({ value, encoded }) => {
  const masker = createMasker([value]);
  const whole = masker.mask(`[${encoded}]`);

  it("becomes one placeholder", () => {
    expect(whole).toMatch(/^\[\s*\*\*\*SECRET\*\*\*\s*\]$/);
  });

  it("does not show through a stream that was cut anywhere, or everywhere", () => {
    const bytes = Buffer.from(`[${encoded}]`);
    const inPieces = (...pieces: Uint8Array[]) => {
      const stream = masker.stream();
      return Buffer.concat([...pieces.map((piece) => stream.push(piece)), stream.flush()]).toString();
    };
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(inPieces(bytes.subarray(0, cut), bytes.subarray(cut))).toBe(whole);
    }
    expect(inPieces(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toBe(whole);
  });
});

describe("the report names the form", () => {
  const changed = table.filter(({ kind, value, encoded }) => kind === "NASTY" && encoded !== value);

  it.each(changed)("$form ($way)", ({ form, value, encoded }) => {
    const masker = createMasker([value]);
    masker.mask(encoded);
    expect(masker.report()).toEqual({ secret: { count: 1, variants: [form] } });
  });

  it("where several forms have the same text, it is the first of them", () => {
    const masker = createMasker([TOKEN]);
    masker.mask(encodeURIComponent(TOKEN));
    expect(masker.report()).toEqual({ secret: { count: 1, variants: ["value"] } });
  });
});

it.each([
  ["password", (value: string) => `https://user:${value}@host/`],
  ["path", (value: string) => `https://host/${value}/`],
  ["query", (value: string) => `https://host/?q=${value}`],
])("a value that stands as it is in what becomes a URL: %s", (_, insert) => {
  const value = 'pa$$ "w\'örd" <&> +=~^|{}[]%1!,;:';
  expect(createMasker([value]).mask(new URL(insert(value)).href)).toBe(insert("***SECRET***"));
});

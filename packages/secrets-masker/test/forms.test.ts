import { Buffer } from "node:buffer";
import querystring from "node:querystring";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createMasker, type Masker } from "../src/index.ts";
import { leaksOf, streamedInAllWays } from "./leaks.ts";
import { MULTI_LINE, NASTY, SAMPLES, TOKEN } from "./sample-values.ts";

interface Way {
  readonly form: string;
  readonly way: string;
  readonly encode: (value: string) => string;
  /** As many characters as 8 of the value have at least. */
  readonly eight?: number;
}

const lowerTriplets = (text: string) => text.replace(/%../g, (triplet) => triplet.toLowerCase());
const json = (text: string) => JSON.stringify(text);
const withReferences = (quote: string, apostrophe: string) => (text: string) =>
  Array.from(
    text,
    (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': quote, "'": apostrophe })[character] ?? character,
  ).join("");
const hex = (text: string) => Buffer.from(text).toString("hex");
const utf16 = (text: string) => Buffer.from(text, "utf16le");
const cut = (columns: number, lineEnd: string) => (text: string) =>
  text.match(new RegExp(`.{1,${columns}}`, "g"))?.join(lineEnd) ?? "";

/** The forms, each as made by other code than ours. What other languages make of a value is in `recorded-forms.json`. */
const WAYS: readonly Way[] = [
  { form: "value", way: "as it is", encode: (value) => value },
  { form: "trimmed", way: "without white space around", encode: (value) => value.trim() },
  { form: "line-ends", way: "with CRLF", encode: (value) => value.replaceAll("\n", "\r\n") },
  { form: "line-ends", way: "with CR CR LF", encode: (value) => value.replaceAll("\n", "\r\r\n") },
  { form: "line-ends", way: "on one line, with spaces", encode: (value) => value.trim().replaceAll("\n", " ") },
  { form: "line-ends", way: "on one line", encode: (value) => value.replaceAll("\n", "") },
  { form: "json", way: "JSON.stringify", encode: json },
  { form: "json", way: "JSON in JSON", encode: (value) => json(json(value)) },
  { form: "json", way: "JSON in JSON in JSON", encode: (value) => json(json(json(value))) },
  { form: "json", way: "of PHP", encode: (value) => json(value).replaceAll("/", "\\/") },
  {
    form: "json",
    way: "of Go",
    encode: (value) => json(value).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e").replaceAll("&", "\\u0026"),
  },
  { form: "percent", way: "encodeURIComponent", encode: encodeURIComponent },
  { form: "percent", way: "lower case", encode: (value) => lowerTriplets(encodeURIComponent(value)) },
  { form: "percent", way: "twice", encode: (value) => encodeURIComponent(encodeURIComponent(value)) },
  { form: "percent", way: "encodeURI", encode: encodeURI },
  { form: "percent", way: "querystring.escape", encode: querystring.escape },
  {
    form: "percent",
    way: "the password of a URL",
    encode: (value) => Object.assign(new URL("https://user@host/"), { password: value }).password,
  },
  { form: "form", way: "URLSearchParams", encode: (value) => new URLSearchParams({ value }).toString().slice(6) },
  {
    form: "form",
    way: "lower case",
    encode: (value) => lowerTriplets(new URLSearchParams([["", value]]).toString().slice(1)),
  },
  { form: "html", way: "&quot; and &#39;", encode: withReferences("&quot;", "&#39;") },
  { form: "html", way: "&quot; and &apos;", encode: withReferences("&quot;", "&apos;") },
  { form: "html", way: "&#34; and &#x27;", encode: withReferences("&#34;", "&#x27;") },
  { form: "html", way: "&quot; and &#039;", encode: withReferences("&quot;", "&#039;") },
  { form: "html", way: "quotes as they are", encode: withReferences('"', "'") },
  { form: "literal", way: "util.inspect", encode: (value) => inspect(value, { breakLength: Infinity }) },
  {
    form: "literal",
    way: "between quotes that it has itself",
    encode: (value) => inspect(`'"\`${value}`, { breakLength: Infinity }),
  },
  { form: "base64", way: "with padding", encode: (value) => Buffer.from(value).toString("base64"), eight: 11 },
  {
    form: "base64",
    way: "without padding",
    encode: (value) => Buffer.from(value).toString("base64").replaceAll("=", ""),
    eight: 11,
  },
  { form: "base64", way: "of JSON", encode: (value) => btoa(binary(JSON.stringify([value]))), eight: 11 },
  { form: "base64url", way: "of Buffer", encode: (value) => Buffer.from(value).toString("base64url"), eight: 11 },
  ...[64, 76].flatMap((columns) =>
    ["\n", "\r\n"].map((lineEnd) => ({
      form: "base64-lines",
      way: `${columns} columns, ${json(lineEnd)}`,
      encode: (value: string) => cut(columns, lineEnd)(Buffer.from(value).toString("base64")),
      eight: 11,
    })),
  ),
  { form: "hex", way: "lower case", encode: hex, eight: 16 },
  { form: "hex", way: "upper case", encode: (value) => hex(value).toUpperCase(), eight: 16 },
  { form: "hex", way: "with colons", encode: (value) => cut(2, ":")(hex(value)), eight: 24 },
  { form: "hex", way: "with hyphens, upper case", encode: (value) => cut(2, "-")(hex(value)).toUpperCase(), eight: 24 },
  { form: "hex", way: "a Buffer", encode: (value) => inspect(Buffer.from(value)).replace(/ \.\.\. .*/, ""), eight: 24 },
  ...[60, 64].map((columns) => ({
    form: "hex-lines",
    way: `${columns} columns`,
    encode: (value: string) => cut(columns, "\n")(hex(value)),
    eight: 16,
  })),
  { form: "utf16", way: "in base64", encode: (value) => utf16(value).toString("base64"), eight: 22 },
  {
    form: "bytes",
    way: "a Buffer in JSON",
    encode: (value) => JSON.stringify(Buffer.from(value)),
    eight: 32,
  },
];

/** The UTF-8 of a text, as `btoa` takes it. */
function binary(text: string): string {
  return Buffer.from(text).toString("latin1");
}

const KINDS = { ...SAMPLES, "8 letters": "abcdWXYZ", "white space around": "  \tsome secret\n" };

/** One masker for each value: what it has masked before changes nothing but its report. */
const maskers = new Map(
  Object.values(KINDS)
    .flatMap((value) => [value, value.trim()])
    .map((value) => [value, createMasker([value])]),
);

function maskerOf(value: string): Masker {
  return maskers.get(value) ?? createMasker([value]);
}

/** Each text once for each kind: a token is the same in most forms. */
const table = Object.entries(KINDS).flatMap(([kind, value]) => {
  const byText = new Map(WAYS.toReversed().map((way) => [way.encode(value), way]));
  return Array.from(byText, ([encoded, way]) => ({ kind, value, encoded, ...way }));
});

describe.each(table)("M7: $form ($way) of $kind", ({ value, encode, encoded, eight = 8 }) => {
  const masker = maskerOf(value);
  const whole = masker.mask(`<${encoded}>`);

  it("shows no 8 characters of the value", () => {
    expect(whole).toContain("***SECRET***");
    expect(leaksOf(whole, encode(value.trim()), eight)).toEqual([]);
  });

  it("is the same from a stream that was cut anywhere, or everywhere", () => {
    expect(streamedInAllWays(masker, `<${encoded}>`)).toEqual(new Set([whole]));
  });
});

describe("M7: inside of other data, at each alignment", () => {
  const encoders: readonly (readonly [string, (data: string) => string])[] = [
    ["base64", (data) => Buffer.from(data).toString("base64")],
    ["base64url", (data) => Buffer.from(data).toString("base64url")],
    ["base64 of UTF-16", (data) => utf16(data).toString("base64")],
    ["hex", hex],
    ["form", (data) => new URLSearchParams([["", data]]).toString()],
    ["JSON", json],
  ];
  const places = ["", "u", "u:", "us:"].flatMap((before) => ["", "!"].map((after) => ({ before, after })));
  const cases = encoders.flatMap(([encoder, encode]) =>
    Object.entries(SAMPLES).flatMap(([kind, value]) =>
      places.map(({ before, after }) => ({ encoder, encode, kind, value: value.trim(), before, after })),
    ),
  );

  it.each(cases)("$encoder of $before$kind$after", ({ encode, value, before, after }) => {
    const masker = maskerOf(value);
    const text = encode(before + value + after);
    const masked = masker.mask(text);
    // Only what the text has in common with that of other data of the same length remains, and this is no longer than that.
    expect(masked.split("***SECRET***")).toHaveLength(2);
    expect(masked.length).toBeLessThanOrEqual(encode(`${before}***${after}`).length + "***SECRET***".length + 8);
    expect(streamedInAllWays(masker, `${text} `)).toEqual(new Set([`${masked} `]));
  });
});

describe("the report names the form", () => {
  const changed = table.filter(({ kind, value, encoded }) => kind === "NASTY" && !encoded.includes(value));

  it.each(changed)("$form ($way)", ({ form, value, encoded }) => {
    const masker = createMasker([value]);
    masker.mask(encoded);
    expect(masker.report()).toEqual({ secret: { count: expect.any(Number), variants: [form] } });
  });

  it("where several forms have the same text, it is the first of them", () => {
    const masker = createMasker([TOKEN]);
    masker.mask(encodeURIComponent(TOKEN));
    expect(masker.report()).toEqual({ secret: { count: 1, variants: ["value"] } });
  });

  it("a line, and a part", () => {
    const masker = createMasker([MULTI_LINE, SAMPLES.JSON_VALUE]);
    masker.mask(`${MULTI_LINE.split("\n")[1] ?? ""} 104982763510092837461`);
    expect(masker.report()).toEqual({ secret: { count: 2, variants: ["line", "part"] } });
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

it("one form in another is not found, but for JSON and URLs", () => {
  const masked = createMasker([NASTY]).mask(btoa(encodeURIComponent(NASTY)));
  expect(masked).toBe(btoa(encodeURIComponent(NASTY)));
});

it.each(['k"w1', "a/b1", "p&ss1", "it's1", "ä1ö2"])(
  "KM2: of %j, no encoded text of fewer than 8 characters is looked for",
  (value) => {
    const masker = createMasker([value]);
    expect(masker.mask(`got ${value}`)).toBe("got ***SECRET***");
    for (const encode of [(text: string) => json(text).slice(1, -1), encodeURIComponent]) {
      const text = encode(value);
      const isLookedFor = text.length >= 8 || text === value;
      expect(masker.mask(`got ${text}`)).toBe(isLookedFor ? "got ***SECRET***" : `got ${text}`);
    }
  },
);

import type { PatternText } from "../search/pattern-store.ts";
import { hostSpellings, spellings, urlSpellings } from "../values/parse-url.ts";
import { hasCharacters, isMaskable, MIN_LENGTH_ANYWHERE, type Piece } from "../values/part.ts";
import { jsonRewritten } from "../values/structured.ts";
import { valueParts } from "../values/value-parts.ts";
import { MAX_LENGTH, NO_TEXTS, type ValueTexts, valueTexts } from "../values/value-texts.ts";
import {
  base64Fragments,
  base64urlFragments,
  byteLists,
  type Fragment,
  formEncodings,
  hexEncodings,
  percentEncodings,
  utf8Units,
  utf16Encodings,
  wrappedBase64,
  wrappedHex,
} from "./encodings.ts";
import { htmlEscapes, jsonBody, jsonEscapes, nestedJsonEscapes, shellQuotes, stringLiterals } from "./escapes.ts";

/** A text that reveals a value. */
interface Variant extends PatternText {
  /** What the report calls it. */
  readonly kind: string;
}

interface Encoding {
  readonly name: string;
  readonly of: (text: string) => readonly (string | Fragment)[];
}

/** The encodings of a whole value, the most frequent first. */
const ENCODINGS: readonly Encoding[] = [
  { name: "json", of: jsonEscapes },
  { name: "base64", of: (text) => bodies(text).flatMap(base64Fragments) },
  { name: "base64url", of: (text) => bodies(text).flatMap(base64urlFragments) },
  { name: "hex", of: hexEncodings },
  { name: "percent", of: percentEncodings },
  { name: "form", of: formEncodings },
  { name: "shell", of: shellQuotes },
  { name: "literal", of: stringLiterals },
  { name: "html", of: htmlEscapes },
  { name: "json", of: nestedJsonEscapes },
  { name: "utf16", of: utf16Encodings },
  { name: "bytes", of: byteLists },
  // The strings of a log line in JSON contain these.
  ...[
    { name: "shell", of: shellQuotes },
    { name: "html", of: htmlEscapes },
    { name: "literal", of: stringLiterals },
  ].map(({ name, of }) => ({ name, of: (text: string) => of(text).map(jsonBody) })),
];

/** Encodings that are cut into lines. */
const BASE64_LINES: readonly Encoding[] = [{ name: "base64-lines", of: wrappedBase64 }];
const HEX_LINES: readonly Encoding[] = [{ name: "hex-lines", of: wrappedHex }];

/** The encodings of a single line of a value. */
const LINE_ENCODINGS: readonly Encoding[] = [
  { name: "json", of: jsonEscapes },
  { name: "shell", of: shellQuotes },
  { name: "literal", of: stringLiterals },
];

/** The maximum number of encoded texts of one value, or of one part of it, that are looked for. */
const MAX_ENCODED = 400;

/** The same for a value with all its parts. */
const MAX_ENCODED_IN_ALL = 2_000;

/** The maximum length of all these texts together, in UTF-16 units. */
const MAX_UNITS = 4 * 1024 * 1024;

/** A value, a spelling of it or a part of it. */
interface Source {
  readonly kind: string;
  readonly texts: ValueTexts;
  /** Texts that are looked for only as they are. */
  readonly alone: readonly string[];
}

/**
 * Returns every text that reveals this value, each once. If two variants have the same text, the first one names it: a
 * token of letters and digits is the same in JSON, in a URL and in HTML.
 */
export function variantsOf(value: string): readonly Variant[] {
  const own = valueTexts(value);
  const sources = sourcesOf(value);
  const found = new Map<string, Variant>();
  for (const next of plainTexts(own, sources)) add(found, next);
  const all = [own, ...sources.map(({ texts }) => texts).filter(({ encodable }) => encodable.length > 0)];
  const limit = found.size + Math.min(MAX_ENCODED * all.length, MAX_ENCODED_IN_ALL);
  let units = 0;
  for (const next of encodedTexts(all)) {
    if (found.size >= limit || units >= MAX_UNITS) break;
    if (add(found, next)) units += next.text.length;
  }
  return [...found.values()];
}

function sourcesOf(value: string): readonly Source[] {
  const parts = valueParts(value);
  const [href, ...requests] = urlSpellings(value, parts.flatMap(spelledTexts));
  const alone = [...requests, ...hostSpellings(value.trim())];
  return [
    ...[...spellings(value), ...(href === undefined ? [] : [href])].map((text) => source("spelling", valueTexts(text))),
    ...jsonRewritten(value).map((text) => source("spelling", withoutLines(text))),
    ...parts.flatMap((part) => [
      ...[...spelledTexts(part), ...spellings(part.text)].map((text) => source("part", valueTexts(text))),
      ...jsonRewritten(part.text).map((text) => source("part", withoutLines(text))),
    ]),
    source("spelling", NO_TEXTS, alone),
  ];
}

function source(kind: string, texts: ValueTexts, alone: readonly string[] = []): Source {
  return { kind, texts, alone };
}

/** Leaves out the lines of JSON that was indented here: a line may be an ordinary word between quotes. */
function withoutLines(text: string): ValueTexts {
  return { ...valueTexts(text), lines: [] };
}

function spelledTexts({ text, spelled = [] }: Piece): readonly string[] {
  return [...new Set([text, ...spelled])];
}

function* plainTexts(own: ValueTexts, sources: readonly Source[]): Iterable<Variant> {
  for (const { kind, text } of own.whole) yield variant(kind, text);
  for (const line of own.lines) yield variant("line", line);
  for (const { kind, texts, alone } of sources) {
    const all = [...texts.whole.map((each) => each.text), ...texts.lines, ...alone];
    for (const text of all) yield variant(kind, text);
  }
}

/** The most important texts first, because there is a limit. */
function* encodedTexts(all: readonly ValueTexts[]): Iterable<Variant> {
  const texts = all.flatMap(({ encodable }) => encodable);
  const lines = all.flatMap((value) => value.lines);
  const asTheyAre = all.flatMap(({ encodable }) => encodable.slice(0, 1));
  yield* encodeAll(ENCODINGS, texts);
  yield* encodeAll(BASE64_LINES, asTheyAre);
  yield* encodeAll(LINE_ENCODINGS, lines);
  yield* encodeAll(HEX_LINES, asTheyAre.slice(0, 1));
}

/** Adds a text; a text that is known gets the neighbours of both. Returns whether the text is new. */
function add(found: Map<string, Variant>, next: Variant): boolean {
  const first = found.get(next.text);
  if (first === undefined && !isMaskable(next.text)) return false;
  if (first === undefined) found.set(next.text, next);
  else if (next.before + next.after !== "") {
    found.set(next.text, { ...first, before: first.before + next.before, after: first.after + next.after });
  }
  return first === undefined;
}

function* encodeAll(encodings: readonly Encoding[], texts: readonly string[]): Iterable<Variant> {
  const short = texts.filter((text) => text.length <= MAX_LENGTH);
  for (const { name, of } of encodings) {
    for (const text of short)
      yield* of(text)
        .map((found) => variant(name, found))
        .filter(isLongEnough);
  }
}

/** Shorter encoded texts appear by chance in every log. */
function isLongEnough({ wholeWord }: Variant): boolean {
  return !wholeWord;
}

function variant(kind: string, found: string | Fragment): Variant {
  const { text, before, after } = typeof found === "string" ? { text: found, before: "", after: "" } : found;
  return { kind, text, before, after, wholeWord: !hasCharacters(text, MIN_LENGTH_ANYWHERE) };
}

/** The bytes of a text, and those of its JSON string if they differ. */
function bodies(text: string): readonly string[] {
  return [...new Set([text, jsonBody(text)])].map(utf8Units);
}

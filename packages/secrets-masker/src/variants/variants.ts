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

/** A text that gives a value away, and the name that the report has for it. */
interface Variant extends PatternText {
  readonly form: string;
}

interface Form {
  readonly name: string;
  readonly of: (text: string) => readonly (string | Fragment)[];
}

/** What a value becomes as a whole, what is met most first. */
const FORMS: readonly Form[] = [
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
  // A log line in JSON has all of these inside of its strings.
  ...[
    { name: "shell", of: shellQuotes },
    { name: "html", of: htmlEscapes },
    { name: "literal", of: stringLiterals },
  ].map(({ name, of }) => ({ name, of: (text: string) => of(text).map(jsonBody) })),
];

/** What makes a text for each line of an encoding. */
const BASE64_LINES: readonly Form[] = [{ name: "base64-lines", of: wrappedBase64 }];
const HEX_LINES: readonly Form[] = [{ name: "hex-lines", of: wrappedHex }];

/** How a single line of a value is printed. */
const FORMS_OF_LINE: readonly Form[] = [
  { name: "json", of: jsonEscapes },
  { name: "shell", of: shellQuotes },
  { name: "literal", of: stringLiterals },
];

/** So many encoded texts of one value, or of one part of it, are looked for. */
const MAX_FORMS = 400;

/** The same for a value with all its parts. */
const MAX_FORMS_OF_ALL = 2_000;

/** In UTF-16 units: the length of all these texts together. */
const MAX_UNITS = 4 * 1024 * 1024;

/** A value, a spelling of it or a part of it. */
interface Source {
  readonly form: string;
  readonly texts: ValueTexts;
  /** What is looked for as it is, and in no other form. */
  readonly alone: readonly string[];
}

/**
 * Every text that gives this value away, each once. Where two forms have the same text, the first one names it: a token of
 * letters and digits is the same in JSON, in a URL and in HTML.
 */
export function variantsOf(value: string): readonly Variant[] {
  const own = valueTexts(value);
  const sources = sourcesOf(value);
  const found = new Map<string, Variant>();
  for (const next of plainTexts(own, sources)) add(found, next);
  const all = [own, ...sources.map(({ texts }) => texts).filter(({ encodable }) => encodable.length > 0)];
  const limit = found.size + Math.min(MAX_FORMS * all.length, MAX_FORMS_OF_ALL);
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

function source(form: string, texts: ValueTexts, alone: readonly string[] = []): Source {
  return { form, texts, alone };
}

/** Of JSON that we indent ourselves, a line may be an ordinary word between quotes. */
function withoutLines(text: string): ValueTexts {
  return { ...valueTexts(text), lines: [] };
}

function spelledTexts({ text, spelled = [] }: Piece): readonly string[] {
  return [...new Set([text, ...spelled])];
}

function* plainTexts(own: ValueTexts, sources: readonly Source[]): Iterable<Variant> {
  for (const { form, text } of own.whole) yield variant(form, text);
  for (const line of own.lines) yield variant("line", line);
  for (const { form, texts, alone } of sources) {
    const all = [...texts.whole.map((each) => each.text), ...texts.lines, ...alone];
    for (const text of all) yield variant(form, text);
  }
}

/** In the order of their worth, for there is a limit. */
function* encodedTexts(all: readonly ValueTexts[]): Iterable<Variant> {
  const texts = all.flatMap(({ encodable }) => encodable);
  const lines = all.flatMap((value) => value.lines);
  const asTheyAre = all.flatMap(({ encodable }) => encodable.slice(0, 1));
  yield* inForms(FORMS, texts);
  yield* inForms(BASE64_LINES, asTheyAre);
  yield* inForms(FORMS_OF_LINE, lines);
  yield* inForms(HEX_LINES, asTheyAre.slice(0, 1));
}

/** Adds a text, or what belongs to it on either side where it is known. Says whether it is a new one. */
function add(found: Map<string, Variant>, next: Variant): boolean {
  const first = found.get(next.text);
  if (first === undefined && !isMaskable(next.text)) return false;
  if (first === undefined) found.set(next.text, next);
  else if (next.before + next.after !== "") {
    found.set(next.text, { ...first, before: first.before + next.before, after: first.after + next.after });
  }
  return first === undefined;
}

function* inForms(forms: readonly Form[], texts: readonly string[]): Iterable<Variant> {
  const short = texts.filter((text) => text.length <= MAX_LENGTH);
  for (const { name, of } of forms) {
    for (const text of short)
      yield* of(text)
        .map((found) => variant(name, found))
        .filter(isLongEnough);
  }
}

/** Shorter encoded texts are found by chance in every log. */
function isLongEnough({ wholeWord }: Variant): boolean {
  return !wholeWord;
}

function variant(form: string, found: string | Fragment): Variant {
  const { text, before, after } = typeof found === "string" ? { text: found, before: "", after: "" } : found;
  return { form, text, before, after, wholeWord: !hasCharacters(text, MIN_LENGTH_ANYWHERE) };
}

/** The bytes of a text, and of the JSON string that holds it where that differs. */
function bodies(text: string): readonly string[] {
  return [...new Set([text, jsonBody(text)])].map(utf8Units);
}

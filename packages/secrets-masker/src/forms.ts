import { base64Fragments, base64urlFragments, type Fragment } from "./base64.ts";
import { htmlEscapes } from "./html-escapes.ts";
import { jsonEscapes } from "./json-escapes.ts";
import { hasCharacters, isMaskable, MIN_LENGTH_ANYWHERE } from "./maskable.ts";
import type { PatternText } from "./matcher.ts";
import { formEncodings, percentEncodings } from "./percent-encoding.ts";
import { utf8Units } from "./units.ts";
import { isHuge, valueTexts } from "./value-texts.ts";

/** A text that gives a value away, and the name that the report has for it. */
export interface Appearance extends PatternText {
  readonly form: string;
}

interface Form {
  readonly name: string;
  readonly of: (text: string) => readonly (string | Fragment)[];
}

/** Ways to quote: most of the text stays readable, so single lines are looked for as well. */
const ESCAPES: readonly Form[] = [
  { name: "json", of: jsonEscapes },
  { name: "percent", of: percentEncodings },
  { name: "form", of: formEncodings },
  { name: "html", of: htmlEscapes },
];

/** Ways to encode a value as a whole. */
const ENCODINGS: readonly Form[] = [
  { name: "base64", of: base64Fragments },
  { name: "base64url", of: base64urlFragments },
  { name: "hex", of: hexEncodings },
];

/**
 * Every text that gives this value away, each once. Where two forms have the same text, the first one names it: a token of
 * letters and digits is the same in JSON, in a URL and in HTML. Of a huge value, only its own text and that of its lines.
 */
export function appearancesOf(value: string): readonly Appearance[] {
  const { whole, reflowed, lines } = valueTexts(value);
  const plain = [...whole, ...lines, ...reflowed].map(({ form, text }) => appearance(form, text));
  const escaped = isHuge(value) ? [] : [...whole, ...lines].flatMap(({ text }) => inForms(ESCAPES, text));
  const encoded = isHuge(value) ? [] : whole.flatMap(({ text }) => inForms(ENCODINGS, text));
  return unique([
    ...plain,
    ...escaped,
    // A short piece of base64 or hex is found by chance in every log.
    ...encoded.filter(({ wholeWord }) => !wholeWord),
  ]).filter(({ text }) => isMaskable(text));
}

function inForms(forms: readonly Form[], text: string): readonly Appearance[] {
  return forms.flatMap(({ name, of }) => of(text).map((found) => appearance(name, found)));
}

function appearance(form: string, found: string | Fragment): Appearance {
  const { text, before, after } = typeof found === "string" ? { text: found, before: "", after: "" } : found;
  return { form, text, before, after, wholeWord: !hasCharacters(text, MIN_LENGTH_ANYWHERE) };
}

/** One appearance for each text: the first one, with the neighbours of all. */
function unique(appearances: readonly Appearance[]): readonly Appearance[] {
  const byText = new Map<string, Appearance>();
  for (const next of appearances) {
    const first = byText.get(next.text);
    if (first === undefined) byText.set(next.text, next);
    else if (next.before + next.after !== "") {
      byText.set(next.text, { ...first, before: first.before + next.before, after: first.after + next.after });
    }
  }
  return [...byText.values()];
}

function hexEncodings(text: string): readonly string[] {
  const lower = Array.from(utf8Units(text), (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return [lower, lower.toUpperCase()];
}
